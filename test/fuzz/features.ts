/** What a run of the fuzzer contains. Each feature can be switched by name, and a seed means the same with the same features. */
const features = {
  skew: { isOn: true, adds: 'clocks of processes that differ by up to 15 s either way' },
  late: { isOn: true, adds: 'requests and commits that arrive after their sender gave up' },
  ambiguous: { isOn: true, adds: 'commits that report a conflict with themselves' },
  pauses: { isOn: true, adds: 'processes that stand still for minutes, or that are asked to stop' },
  accounts: { isOn: true, adds: 'pollers that run under another service account than submitters' },
  cancellations: { isOn: true, adds: 'cancellations of jobs, records and batches' },
  batches: { isOn: true, adds: 'batches by manifest' },
  sharing: { isOn: true, adds: 'jobs of two batches, or of a batch and a message' },
  retries: { isOn: true, adds: 'retries of jobs, records and batches' },
  expiry: { isOn: true, adds: 'deletion of expired documents after everything has ended' },
  'late-cancellations': {
    isOn: false,
    adds: 'nothing, but a cancellation must not end what was retried after it was published',
  },
  'prompt-cancellations': {
    isOn: false,
    adds: 'nothing, but a cancellation that failed must be repeated within minutes',
  },
  'canceled-batches': {
    isOn: false,
    adds: 'nothing, but late messages of a canceled batch must start nothing',
  },
  'shared-jobs': { isOn: true, adds: 'nothing, but a shared job must count in each of its batches' },
  'existing-jobs': {
    isOn: false,
    adds: 'nothing, but a batch must wait for jobs whose record was there before',
  },
  'final-counts': {
    isOn: false,
    adds: 'nothing, but the counts of a finished batch must stay right',
  },
  'long-batches': { isOn: false, adds: 'deletion of expired documents before their batch has ended' },
  'damaged-requests': { isOn: false, adds: 'records whose stored request is lost' },
  'kept-originals': { isOn: false, adds: 'invalid messages, whose original must be kept' },
  'proxy-answers': { isOn: false, adds: 'answers of 4xx that do not come from Earth Engine' },
  'lists-without-descriptions': { isOn: false, adds: 'lists in which operations have no description' },
  'answers-without-marker': { isOn: false, adds: 'answers to a send without a description' },
} as const satisfies Readonly<Record<string, { readonly isOn: boolean; readonly adds: string }>>;

export type FeatureName = keyof typeof features;
export type Features = ReadonlySet<FeatureName>;

export const featureNames = Object.keys(features) as FeatureName[];
export const defaultFeatures: Features = new Set(featureNames.filter((name) => features[name].isOn));

/**
 * Reads `+name` and `-name`, which change the default, plain names, which replace it, and `all`.
 *
 * @throws RangeError for a name that does not exist
 */
export function readFeatures(text: string): Features {
  const words = text.split(',').filter((word) => word !== '');
  const isChange = words.every((word) => /^[+-]/.test(word));
  const chosen = new Set<FeatureName>(isChange ? defaultFeatures : []);
  for (const word of words) {
    const name = word.replace(/^[+-]/, '');
    const named = name === 'all' ? featureNames : featureNames.filter((known) => known === name);
    if (named.length === 0) {
      throw new RangeError(`found the feature ${name}; allowed: all, ${featureNames.join(', ')}`);
    }
    for (const one of named) {
      if (word.startsWith('-')) {
        chosen.delete(one);
      } else {
        chosen.add(one);
      }
    }
  }
  return chosen;
}

export const featureHelp = featureNames
  .map((name) => `  ${features[name].isOn ? ' ' : '*'} ${name.padEnd(28)}${features[name].adds}`)
  .join('\n');

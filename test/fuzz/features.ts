/** What a run of the fuzzer contains. Each feature can be left out, and a seed means the same with the same features. */
const features = {
  skew: 'clocks of processes that differ by up to 15 s either way',
  late: 'requests and commits that arrive after their sender gave up',
  ambiguous: 'commits that report a conflict with themselves',
  pauses: 'processes that stand still for minutes, or that are asked to stop',
  accounts: 'pollers that run under another service account than submitters',
  cancellations: 'cancellations of jobs, records and batches',
  batches: 'batches by manifest',
  sharing: 'jobs of two batches, or of a batch and a message',
  retries: 'retries of jobs, records and batches',
  expiry: 'deletion of expired documents after everything has ended',
  'late-cancellations': 'nothing, but a cancellation must not end what was retried after it was published',
  'prompt-cancellations': 'nothing, but a cancellation that failed must be repeated within minutes',
  'canceled-batches': 'nothing, but late messages of a canceled batch must start nothing',
  'shared-jobs': 'nothing, but a shared job must count in each of its batches',
  'existing-jobs': 'nothing, but a batch must wait for jobs whose record was there before',
  'final-counts': 'nothing, but the counts of a finished batch must stay right',
  'long-batches': 'deletion of expired documents before their batch has ended',
  'damaged-requests': 'records whose stored request is lost',
  'kept-originals': 'invalid messages, whose original must be kept',
  'proxy-answers': 'answers of 4xx that do not come from Earth Engine',
  'lists-without-descriptions': 'lists in which operations have no description',
  'answers-without-marker': 'answers to a send without a description',
} as const;

export type FeatureName = keyof typeof features;
export type Features = ReadonlySet<FeatureName>;

export const featureNames = Object.keys(features) as FeatureName[];
export const allFeatures: Features = new Set(featureNames);

/**
 * Reads `-name`, which leaves out a feature, or plain names, which are then the only ones.
 *
 * @throws RangeError for a name that does not exist
 */
export function readFeatures(text: string): Features {
  const words = text.split(',').filter((word) => word !== '');
  const isChange = words.every((word) => word.startsWith('-'));
  const chosen = new Set<FeatureName>(isChange ? allFeatures : []);
  for (const word of words) {
    const name = featureNames.find((known) => known === word.replace(/^-/, ''));
    if (name === undefined) {
      throw new RangeError(`found the feature ${word}; allowed: ${featureNames.join(', ')}`);
    }
    if (word.startsWith('-')) {
      chosen.delete(name);
    } else {
      chosen.add(name);
    }
  }
  return chosen;
}

export const featureHelp = featureNames.map((name) => `  ${name.padEnd(28)}${features[name]}`).join('\n');

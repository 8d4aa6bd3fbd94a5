import { readOptions, wholeNumber, wrongOption } from '../../infra/local/options.ts';
import { SECOND_MS } from '../../shared/clock.ts';
import { controls } from './controls.ts';
import { allFeatures, featureHelp, type Features, readFeatures } from './features.ts';
import { play, type Played } from './play.ts';

/*
 * `npm run fuzz -- --seeds 1-10000`: see play.ts. Exits with 0 only if no seed violates anything, or with --control, if every
 * control is caught.
 */

const usage = `usage: npm run fuzz [-- --seeds 1-300] [--seconds 60] [--features=-late,-skew] [--control]
       npm run fuzz -- --seed 7 --trace

  --seeds     from … to, both included
  --seed      only this one
  --trace     print everything that happens
  --seconds   start no further seed after so many
  --control   take safeguards out, one at a time: each must be caught
  --features  -name leaves out a feature, names alone are the only ones

Features:
${featureHelp}`;

const EXCERPT_LINES = 60;

const { values } = readOptions(usage, {
  options: {
    seeds: { type: 'string', default: '1-300' },
    seed: { type: 'string' },
    seconds: { type: 'string' },
    features: { type: 'string', default: '' },
    trace: { type: 'boolean', default: false },
    control: { type: 'boolean', default: false },
  },
});

const features = chosenFeatures(values.features);
const seeds = chosenSeeds(values.seed === undefined ? values.seeds : `${values.seed}-${values.seed}`);
const startedAt = performance.now();
const endsAt =
  values.seconds === undefined
    ? Infinity
    : startedAt + wholeNumber('seconds', values.seconds, usage) * SECOND_MS;
process.exitCode = (await (values.control ? runControls() : runSeeds())) ? 0 : 1;

async function runSeeds(): Promise<boolean> {
  let played = 0;
  let violations = 0;
  for (const seed of seeds) {
    if (performance.now() >= endsAt) {
      break;
    }
    const result = await play({ seed, features, isTraced: values.trace });
    played += 1;
    violations += result.violations.length;
    if (values.trace) {
      print(result.trace.join('\n'));
    } else if (result.violations.length > 0) {
      await report(seed, result);
    }
  }
  print(`${played} seeds, ${violations} violations, ${secondsSince(startedAt)} s`);
  return violations === 0;
}

/** A trace is made only for a seed that is worth it: the same seed is played once more. */
async function report(seed: number, { violations }: Played): Promise<void> {
  const { trace } = await play({ seed, features, isTraced: true });
  const chosen = values.features === '' ? '' : ` --features ${values.features}`;
  print(`seed ${seed}\n  ${violations.join('\n  ')}`);
  print(excerpt(trace).join('\n'));
  print(`  All of it: npm run fuzz -- --seed ${seed} --trace${chosen}\n`);
}

/** What led to the first violation, without reads that went well. */
function excerpt(trace: readonly string[]): string[] {
  const first = trace.findIndex((line) => line.includes('VIOLATION'));
  return trace
    .slice(0, first + 1)
    .filter((line) => /→|──|VIOLATION|late|Earth Engine|acknowledge|gets|: [A-Z]{3}/.test(line))
    .slice(-EXCERPT_LINES)
    .map((line) => `  │ ${line}`);
}

async function runControls(): Promise<boolean> {
  let missed = 0;
  for (const control of controls) {
    const withMore = new Set([...features, ...(control.features ?? [])]);
    let found: string | undefined;
    let played = 0;
    for (const seed of seeds) {
      const { violations } = await play({ seed, features: withMore, control });
      played += 1;
      found = violations.find((violation) => control.breaks.test(violation));
      if (found !== undefined) {
        break;
      }
    }
    missed += found === undefined ? 1 : 0;
    print(
      found === undefined
        ? `${control.name}: NOT CAUGHT by ${played} seeds`
        : `${control.name}: caught by seed ${seeds[played - 1]}: ${found}`,
    );
  }
  print(`${controls.length} controls, ${missed} not caught, ${secondsSince(startedAt)} s`);
  return missed === 0;
}

function chosenSeeds(text: string): number[] {
  const [from = '', to = from] = text.split('-');
  const first = wholeNumber('seeds', from, usage);
  const last = wholeNumber('seeds', to, usage);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, n) => first + n);
}

function chosenFeatures(text: string): Features {
  try {
    return text === '' ? allFeatures : readFeatures(text);
  } catch (error) {
    return wrongOption(`--features: ${(error as RangeError).message}`, usage);
  }
}

function secondsSince(ms: number): number {
  return Math.round((performance.now() - ms) / SECOND_MS);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

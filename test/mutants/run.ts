import { interruption } from '../../infra/local/interrupt.ts';
import { readOptions, wholeNumber, wrongOption } from '../../infra/local/options.ts';
import type { Mutant } from './mutant.ts';
import { mutants } from './mutants.ts';
import { createScratch, gitPaths, type Outcome, type Scratch } from './scratch.ts';

/*
 * `npm run mutants`: removes one safeguard at a time, in a copy of the working tree, and runs the tests that should notice.
 * Exits with 0 only if exactly the mutants with a reason in `equivalent` survive.
 */

const usage = `usage: npm run mutants [-- --only own-lease] [--shard 1/4] [--changed origin/main] [--jobs 2] [--list]

  --only     mutants whose name or file contains this text; can be repeated
  --shard    every n-th mutant, from the i-th on
  --changed  mutants whose file or tests differ from this commit
  --jobs     how many mutants are tested at once
  --list     print the mutants and test none`;
const { values } = readOptions(usage, {
  options: {
    only: { type: 'string', multiple: true },
    shard: { type: 'string' },
    changed: { type: 'string' },
    jobs: { type: 'string', default: '2' },
    list: { type: 'boolean', default: false },
  },
});

function choose(): Mutant[] {
  const { only, shard, changed } = values;
  const [, part = '1', parts = '1'] =
    /^(\d+)\/(\d+)$/.exec(shard ?? '1/1') ?? wrongOption(`--shard must be like 1/4: found ${shard}`, usage);
  const differing =
    changed === undefined
      ? undefined
      : new Set([
          ...gitPaths('diff', '--name-only', changed),
          ...gitPaths('ls-files', '--others', '--exclude-standard'),
        ]);
  return mutants
    .filter(({ name, file }) => only?.some((text) => name.includes(text) || file.includes(text)) ?? true)
    .filter(({ file, tests }) => !differing || [file, ...tests].some((path) => differing.has(path)))
    .filter((_mutant, index) => index % Number(parts) === Number(part) - 1);
}

const chosen = choose();
if (chosen.length === 0) {
  wrongOption('No mutant matches.', usage);
}
if (values.list) {
  for (const { name, rule, file, removes, equivalent } of chosen) {
    console.log(
      `${name.padEnd(32)} ${file}: ${removes}${rule === undefined ? '' : ` (rule ${rule})`}${equivalent ? `; equivalent: ${equivalent}` : ''}`,
    );
  }
  process.exit();
}

const interrupted = interruption();
const jobs = Math.min(wholeNumber('jobs', values.jobs, usage), chosen.length);
const scratches: Scratch[] = [];

/** What the outcome means; the wrong ones fail the run. */
function verdict(
  { equivalent }: Pick<Mutant, 'equivalent'>,
  outcome: Outcome,
): { readonly word: string; readonly wrong: boolean; readonly detail: string } {
  switch (outcome.kind) {
    case 'KILLED':
      return equivalent === undefined
        ? { word: 'killed', wrong: false, detail: outcome.by }
        : { word: 'KILLED', wrong: true, detail: `remove \`equivalent\`: ${outcome.by} notices it` };
    case 'SURVIVED':
      return equivalent === undefined
        ? { word: 'SURVIVED', wrong: true, detail: '' }
        : { word: 'equivalent', wrong: false, detail: equivalent };
    case 'TIMED_OUT':
      return { word: 'TIMED OUT', wrong: true, detail: `no end within ${outcome.seconds} s` };
    case 'BROKEN':
      return { word: 'BROKEN', wrong: true, detail: outcome.output };
  }
}

const tally = { killed: 0, equivalent: 0, wrong: [] as string[] };

async function testAll(scratch: Scratch, queue: Mutant[]): Promise<void> {
  for (let mutant = queue.shift(); mutant; mutant = queue.shift()) {
    const began = performance.now();
    const outcome = await scratch.test(mutant);
    const { word, wrong, detail } = verdict(mutant, outcome);
    const seconds = Math.round((performance.now() - began) / 1000);
    console.log(
      `${word.padEnd(10)} ${`${seconds} s`.padStart(5)}  ${mutant.name}${wrong ? ` (${mutant.file}: ${mutant.removes})` : ''}${detail ? `: ${detail}` : ''}`,
    );
    tally.killed += outcome.kind === 'KILLED' ? 1 : 0;
    tally.equivalent += word === 'equivalent' ? 1 : 0;
    if (wrong) {
      tally.wrong.push(mutant.name);
    }
  }
}

try {
  for (let index = 0; index < jobs; index += 1) {
    scratches.push(await createScratch(interrupted));
  }
  // A test that fails anyway would kill every mutant.
  const files = [...new Set(chosen.flatMap(({ tests }) => tests))];
  const unchanged = await scratches[0]?.testUnchanged(files, jobs);
  if (unchanged?.kind !== 'SURVIVED') {
    throw new Error(`The tests fail without a mutant: ${unchanged && verdict({}, unchanged).detail}`);
  }
  const queue = [...chosen];
  await Promise.all(scratches.map((scratch) => testAll(scratch, queue)));
  const { killed, equivalent, wrong } = tally;
  const percent = ((100 * killed) / chosen.length).toFixed(1);
  console.log(
    `\n${chosen.length} mutants: ${killed} killed (${percent} %), ${equivalent} equivalent, ${wrong.length} wrong${wrong.length > 0 ? `: ${wrong.join(', ')}` : ''}`,
  );
  process.exitCode = wrong.length > 0 ? 1 : 0;
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = interrupted.aborted ? 130 : 1;
} finally {
  await Promise.all(scratches.map((scratch) => scratch.remove()));
}

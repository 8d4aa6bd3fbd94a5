import { createTerminal } from '../../cli/terminal.ts';
import { asError } from '../../shared/errors.ts';
import { embeddedStage, stackStage, type Stage } from './demo-stage.ts';
import { notInstalled, playDemo, printEnd, printStart } from './demo-play.ts';
import { EmulatorsUnavailableError } from './emulators.ts';
import { interruption } from './interrupt.ts';
import { readOptions } from './options.ts';

/*
 * `npm run demo` runs the example jobs through the whole service. It exits with 0 only if every record agrees with what
 * the simulated Earth Engine did.
 */

const usage = `usage: npm run demo [-- --embedded]

  --embedded  run in one process, even if Google's emulators are installed`;
const { values: options } = readOptions(usage, {
  options: { embedded: { type: 'boolean', default: false } },
});

async function main(): Promise<void> {
  const startedAt = Date.now();
  const terminal = createTerminal(process.stdout, process.stderr, process.env);
  const problems: Error[] = [];
  const onProblem = (problem: Error): void => void problems.push(problem);
  const interrupt = interruption();
  try {
    printStart(terminal);
    const stage = await setUp(onProblem);
    try {
      await playDemo(stage, terminal, problems, interrupt);
    } finally {
      await stage.stop();
    }
  } catch (thrown) {
    onProblem(interrupt.aborted ? asError(interrupt.reason) : asError(thrown));
  }
  if (problems.length > 0) {
    terminal.out(['\nThe demo failed:', ...problems.map(({ message }) => `  ${message}`)].join('\n'));
    process.exitCode = 1;
    return;
  }
  printEnd(terminal, Date.now() - startedAt);
}

async function setUp(onProblem: (problem: Error) => void): Promise<Stage> {
  if (options.embedded) {
    return embeddedStage(onProblem, 'of --embedded');
  }
  try {
    return await stackStage(onProblem);
  } catch (thrown) {
    if (!(thrown instanceof EmulatorsUnavailableError)) {
      throw thrown;
    }
    return embeddedStage(onProblem, notInstalled);
  }
}

await main();

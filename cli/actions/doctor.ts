import type { Cli } from '../cli.ts';
import { writeJson } from '../output.ts';
import { examine } from '../doctor/examine.ts';
import type { Finding } from '../doctor/finding.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { wrap } from '../screen.ts';
import { paint } from '../terminal.ts';
import { plural, printable } from '../text.ts';

const CHECK_WIDTH = 14;
const OUTCOME_WIDTH = 9;

/** Writes each finding as soon as it is known. */
export async function doctor(cli: Cli): Promise<ExitCode> {
  let problems = 0;
  for await (const finding of examine(cli)) {
    if (finding.outcome === 'PROBLEM') {
      problems += 1;
    }
    if (cli.json) {
      writeJson(cli, finding);
    } else {
      writeFinding(cli, finding);
    }
  }
  if (!cli.json) {
    cli.terminal.out(problems === 0 ? '\nNo problems found.' : `\n${plural(problems, 'problem')} found.`);
  }
  return problems === 0 ? exitCodes.DONE : exitCodes.FAILED;
}

function writeFinding({ terminal }: Cli, { check, outcome, found, advice }: Finding): void {
  const start = outcome.toLowerCase().padEnd(OUTCOME_WIDTH) + check.padEnd(CHECK_WIDTH);
  const room = terminal.columns - start.length;
  const lines = [
    ...wrap(printable(found), '', room),
    ...(advice === undefined ? [] : wrap(`→ ${advice}`, '', room)),
  ];
  const color = { OK: 'green', PROBLEM: 'red', SKIPPED: 'dim' } as const;
  for (const [index, line] of lines.entries()) {
    const whole = (index === 0 ? start : ' '.repeat(start.length)) + line;
    terminal.out(
      index === 0
        ? paint(terminal, color[outcome], whole.slice(0, OUTCOME_WIDTH)) + whole.slice(OUTCOME_WIDTH)
        : whole,
    );
  }
}

import { styleText } from 'node:util';

import type { RecordState } from '../shared/model/record.ts';

/** Where a command writes. Results go to `out`, everything else to `err`, so that a pipe gets results alone. */
export interface Terminal {
  out(text: string): void;
  err(text: string): void;
  /** Whether somebody looks at `out`: then it may be drawn over. */
  readonly isInteractive: boolean;
  /** What a line of `out` may take; without a terminal nothing is cut. */
  readonly columns: number;
  readonly rows: number;
  readonly hasColour: boolean;
}

type Stream = Pick<NodeJS.WriteStream, 'write' | 'isTTY' | 'columns' | 'rows'>;

/**
 * @param environment NO_COLOR (https://no-color.org) and TERM=dumb switch colour off
 */
export function createTerminal(
  stdout: Stream,
  stderr: Stream,
  environment: Readonly<Record<string, string | undefined>>,
): Terminal {
  const isInteractive = stdout.isTTY && environment['TERM'] !== 'dumb';
  return {
    out: (text) => void stdout.write(`${text}\n`),
    err: (text) => void stderr.write(`${text}\n`),
    isInteractive,
    get columns() {
      return isInteractive ? stdout.columns || 80 : Infinity;
    },
    get rows() {
      return stdout.rows || 24;
    },
    hasColour: isInteractive && !environment['NO_COLOR'],
  };
}

type Colour = 'green' | 'red' | 'yellow' | 'cyan' | 'dim' | 'bold';

export function paint({ hasColour }: Terminal, colour: Colour, text: string): string {
  return hasColour ? styleText(colour, text, { validateStream: false }) : text;
}

const stateColours: Readonly<Record<RecordState, Colour>> = {
  SUBMITTING: 'yellow',
  WAITING: 'yellow',
  PENDING: 'yellow',
  RUNNING: 'cyan',
  CANCELLING: 'yellow',
  SUCCEEDED: 'green',
  FAILED: 'red',
  CANCELLED: 'red',
  REJECTED: 'red',
  LOST: 'red',
};

/** Colours the state that a laid-out line starts with: colours have no width, so they come last. */
export function paintState(terminal: Terminal, line: string, state: string): string {
  const colour = stateColours[state as RecordState] as Colour | undefined;
  return colour ? line.replace(state, paint(terminal, colour, state)) : line;
}

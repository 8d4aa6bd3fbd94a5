import { styleText } from 'node:util';

import type { RecordState } from '../shared/model/record.ts';

/** Where a command writes. Results go to `out` and everything else to `err`, so that a pipe gets only results. */
export interface Terminal {
  out(text: string): void;
  err(text: string): void;
  /** Whether `out` is a terminal, so that it can be drawn over. */
  readonly isInteractive: boolean;
  /** The width of `out`; Infinity without a terminal, so that nothing is cut. */
  readonly columns: number;
  readonly rows: number;
  readonly hasColor: boolean;
}

type Stream = Pick<NodeJS.WriteStream, 'write' | 'isTTY' | 'columns' | 'rows'>;

/**
 * @param environment NO_COLOR (https://no-color.org) and TERM=dumb switch color off
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
    hasColor: isInteractive && !environment['NO_COLOR'],
  };
}

type Color = 'green' | 'red' | 'yellow' | 'cyan' | 'dim' | 'bold';

export function paint({ hasColor }: Pick<Terminal, 'hasColor'>, color: Color, text: string): string {
  return hasColor ? styleText(color, text, { validateStream: false }) : text;
}

const stateColors: Readonly<Record<RecordState, Color>> = {
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

/** Colors the state in a line that is already laid out: color codes have no width on the screen. */
export function paintState(terminal: Pick<Terminal, 'hasColor'>, line: string, state: string): string {
  const color = stateColors[state as RecordState] as Color | undefined;
  return color ? line.replace(state, paint(terminal, color, state)) : line;
}

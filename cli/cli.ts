import type { Clock } from '../shared/clock.ts';
import type { Connections, Environment } from './connections.ts';
import type { Terminal } from './terminal.ts';

/** What every command gets: the outside world, and the options that all of them have. */
export interface Cli extends Connections {
  readonly terminal: Terminal;
  readonly clock: Clock;
  readonly environment: Environment;
  /** Aborted by Ctrl-C. */
  readonly interrupted: AbortSignal;
  readStdin(): Promise<Uint8Array>;
  /** Results as JSON. */
  readonly json: boolean;
}

/** One JSON value on a line, Dates in ISO 8601. */
export function writeJson({ terminal }: Cli, value: unknown): void {
  terminal.out(JSON.stringify(value));
}

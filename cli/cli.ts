import type { Clock } from '../shared/clock.ts';
import type { Connections } from './connections.ts';
import type { Environment } from './service/contexts.ts';
import type { Service } from './service/service.ts';
import type { Terminal } from './terminal.ts';

/** What every action gets: the outside world, and the options that all commands have. */
export interface Cli extends Connections {
  readonly terminal: Terminal;
  readonly clock: Clock;
  readonly environment: Environment;
  /** The service in use. @throws CliError if the arguments or the environment contradict themselves */
  service(): Promise<Service>;
  /** Aborted by Ctrl-C. */
  readonly interrupted: AbortSignal;
  readStdin(): Promise<Uint8Array>;
  /** Whether to write results as JSON. */
  readonly json: boolean;
}

/** One JSON value on one line, with dates in ISO 8601. */
export function writeJson({ terminal }: Cli, value: unknown): void {
  terminal.out(JSON.stringify(value));
}

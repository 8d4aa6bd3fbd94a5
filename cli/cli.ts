import type { Clock } from '../shared/clock.ts';
import type { Connections } from './connections.ts';
import type { Environment } from './service/contexts.ts';
import type { Service } from './service/service.ts';
import type { Format } from './output.ts';
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
  /** How to write results. */
  readonly format: Format;
  /** The same as the format `json`. */
  readonly json: boolean;
  /** Whether to print only ids, and no hints. */
  readonly isQuiet: boolean;
  /** Asks a question on the terminal; undefined if no person can answer. */
  readonly confirm: ((question: string) => Promise<boolean>) | undefined;
}

import type { Clock } from './clock.ts';
import type { Config } from './config.ts';
import type { EarthEngine } from './earth-engine/api.ts';
import type { Log } from './log.ts';
import type { Publisher } from './publisher.ts';
import type { Policy } from './record/policy.ts';
import type { Store } from './store/store.ts';

/** The outside world of every function, as one parameter. */
export interface Services {
  readonly config: Config;
  /** The times of `config` by which records move. */
  readonly policy: Policy;
  readonly store: Store;
  readonly earthEngine: EarthEngine;
  readonly publisher: Publisher;
  readonly clock: Clock;
  /** 0 ≤ x < 1: jitter. */
  readonly random: () => number;
  /** A token that no other claim has. */
  readonly newToken: () => string;
  readonly log: Log;
  /** Aborted when the process must end: what waits for EE is handed over. */
  readonly stopping: AbortSignal;
}

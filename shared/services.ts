import type { Clock } from './clock.ts';
import type { Config } from './config.ts';
import type { EarthEngine } from './earth-engine/api.ts';
import type { Log } from './log.ts';
import type { Publisher } from './publisher.ts';
import type { Policy } from './record/policy.ts';
import type { CloudStorage } from './storage/api.ts';
import type { Store } from './store/store.ts';

/** Everything outside the process, as one parameter: tests replace any part of it. */
export interface Services {
  readonly config: Config;
  /** The durations of `config` that govern records. */
  readonly policy: Policy;
  readonly store: Store;
  readonly earthEngine: EarthEngine;
  readonly publisher: Publisher;
  /** Loads Cloud Storage's client when it is first called. Undefined if deliveries are not verified. */
  readonly storage?: (() => Promise<CloudStorage>) | undefined;
  readonly clock: Clock;
  /** 0 ≤ x < 1: jitter. */
  readonly random: () => number;
  /** A token that is unique to one claim. */
  readonly newToken: () => string;
  readonly log: Log;
  /** Aborted when the process must end: calls in flight are handed over to the poller. */
  readonly stopping: AbortSignal;
}

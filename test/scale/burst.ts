import { isTerminal } from '../../shared/model/record.ts';
import { createHarness, type Harness, type Instance, smallJob } from '../harness.ts';

/** Many jobs at once, through a queue that holds a fraction of them, submitted by several instances. */

export interface BurstOptions {
  readonly jobs: number;
  /** PENDING operations that Earth Engine accepts in the project, including those of other users. */
  readonly queueLimit: number;
  /** PENDING operations of other users. */
  readonly othersPending: number;
  readonly maxActive: number;
  readonly instances: number;
  /** The chance of a 429 for an export. */
  readonly tooManyRequests: number;
  readonly startsPerSecond: number;
}

export interface Burst {
  readonly harness: Harness;
  /** The number of deliveries of each message. */
  readonly deliveries: readonly number[];
  readonly polls: number;
}

export const PRIORITIES = [100, 200, 300, 400];

const MINUTE_MS = 60_000;
/** After this many failed deliveries, Pub/Sub forwards a message to the dead-letter topic. */
const MAX_DELIVERIES = 5;
const DELIVERY_MS = 10;

/** @param onPoll called after each poll */
export async function runBurst(options: BurstOptions, onPoll?: () => void): Promise<Burst> {
  const { jobs, queueLimit, maxActive, tooManyRequests, startsPerSecond } = options;
  const harness = createHarness({
    environment: { MAX_ACTIVE_OPERATIONS: String(maxActive), RETRY_MAX_SECONDS: '120' },
    simulator: {
      settings: {
        queueLimit,
        startsPerSecond,
        concurrency: startsPerSecond * 8,
        runMs: [2000, 8000],
        faultRates: { tooManyRequests },
        faultyCalls: ['export'],
      },
    },
  });
  harness.simulator.setOthers('demo-test', { pending: options.othersPending });
  const deliveries = await deliver(harness, options);
  let polls = 0;
  for (let open = jobs; open > 0; polls += 1) {
    if (polls > 1000) {
      throw new Error(`${open} jobs have not ended after ${polls} polls`);
    }
    await harness.poll();
    onPoll?.();
    harness.clock.advance(MINUTE_MS);
    open = await countOpen(harness);
  }
  return { harness, deliveries, polls };
}

/** Pushes as Pub/Sub does: to any instance, and again after a failure. */
async function deliver(harness: Harness, { jobs, instances }: BurstOptions): Promise<number[]> {
  const submitters: Instance[] = Array.from({ length: instances }, () => harness.instance());
  const deliveries: number[] = [];
  for (let n = 0; n < jobs; n += 1) {
    const priority = PRIORITIES[n % PRIORITIES.length];
    const message = { data: smallJob({ jobKey: `burst/${n}` }, { priority }), messageId: `burst-${n}` };
    let delivered = 0;
    for (let accepted = false; !accepted && delivered < MAX_DELIVERIES; delivered += 1) {
      const submitter = submitters[(n + delivered) % instances];
      accepted = await (submitter as Instance).submit(message).then(
        () => true,
        () => false,
      );
    }
    deliveries.push(delivered);
    harness.clock.advance(DELIVERY_MS);
  }
  return deliveries;
}

async function countOpen(harness: Harness): Promise<number> {
  return (await harness.records()).filter(({ value }) => !isTerminal(value)).length;
}

/** The most operations that were started within any `ms`. */
export function mostStartedWithin(harness: Harness, ms: number): number {
  const starts = harness.simulator.exportCalls
    .filter(({ outcome }) => outcome === 'STARTED')
    .map(({ at }) => new Date(at).getTime());
  let most = 0;
  let first = 0;
  for (const [last, at] of starts.entries()) {
    while (at - (starts[first] ?? at) > ms) {
      first += 1;
    }
    most = Math.max(most, last - first + 1);
  }
  return most;
}

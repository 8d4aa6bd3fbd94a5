import { MINUTE_MS, SECOND_MS } from '../../shared/clock.ts';
import type { EarthEngine } from '../../shared/earth-engine/api.ts';
import type { Services } from '../../shared/services.ts';
import { changeStatus } from '../../shared/submission/gate.ts';
import type { CloudStorage } from '../../shared/storage/api.ts';
import type { SimulatorSettings } from '../../infra/local/simulator/index.ts';
import { createHarness, type Harness } from '../harness.ts';
import { createVirtualTime, type VirtualTime } from './virtual-time.ts';
import { submitMany } from './watched.ts';

/**
 * A backlog that one poller sends to Earth Engine, in virtual time: calls take their latency, a run starts each minute
 * unless the last one still works, and the machine's own speed makes no difference.
 */

export interface DrainOptions {
  /** Of each project. */
  readonly jobs: number;
  readonly projects?: number;
  readonly latencyMs: number;
  readonly simulator?: Partial<SimulatorSettings>;
  readonly environment?: Readonly<Record<string, string>>;
  /** How long Cloud Storage takes for a list, in which no video is found. By default, deliveries are not verified. */
  readonly deliveryMs?: number;
}

export interface Drained {
  readonly harness: Harness;
  /** From the first call of an export to the last one that was accepted. */
  readonly sendingMs: number;
  /** From the first call of an export to the end of the last operation. */
  readonly totalMs: number;
  /** The share of all calls that Earth Engine refused because the service itself was too fast. */
  readonly overRate: number;
  /** Slots of Earth Engine that were free while nothing was queued there and jobs waited, after the first minute. */
  readonly idleSlotMinutes: number;
}

const STORE_MS = 10;
const MAX_MINUTES = 600;

const projectName = (n: number): string => (n === 0 ? 'demo-test' : `demo-test-${n}`);

export async function drain(options: DrainOptions): Promise<Drained> {
  const { jobs, projects = 1, latencyMs, simulator, environment, deliveryMs } = options;
  const harness = createHarness({
    environment: {
      ALLOWED_PROJECTS: '*',
      EARTHENGINE_REQUESTS_PER_SECOND: '100',
      // If nothing ends, the service's own limit would stop the backlog.
      ...(simulator?.concurrency ? {} : { MAX_ACTIVE_OPERATIONS: '100000' }),
      ...environment,
    },
    simulator: { settings: { queueLimit: 1_000_000, concurrency: 0, ...simulator } },
    ...(deliveryMs === undefined ? {} : { deliveries: [] }),
  });
  const names = Array.from({ length: projects }, (_, n) => projectName(n));
  for (const project of names) {
    await fillQueue(harness, project, jobs);
  }
  const time = createVirtualTime(harness.clock);
  const poller = harness.instance((services) =>
    withSlowStorage(withLatency(services, time, latencyMs), time, deliveryMs),
  );
  const isSent = (): boolean => startedCalls(harness).length >= jobs * projects;
  let polling: Promise<unknown> | undefined;
  for (let minute = 0; !isSent() || polling; minute += 1) {
    if (minute > MAX_MINUTES) {
      throw new Error(`only ${startedCalls(harness).length} jobs were sent in ${MAX_MINUTES} minutes`);
    }
    polling ??= poller.poll().finally(() => {
      polling = undefined;
    });
    await time.sleep(MINUTE_MS);
  }
  return measure(harness, names);
}

/** Jobs that wait for Earth Engine, as if its queue had just been full. */
async function fillQueue(harness: Harness, project: string, jobs: number): Promise<void> {
  const { services } = harness;
  await changeStatus(services, project, (status, now) => ({
    ...status,
    closures: 1,
    closedFor: 'QUEUE',
    closedUntil: new Date(now.getTime() + MINUTE_MS),
  }));
  await submitMany(harness, jobs, project);
  await changeStatus(services, project, ({ closedUntil: _until, closedFor: _for, ...rest }) => ({
    ...rest,
    closures: 0,
  }));
}

/** Each call waits for half of its latency before it takes effect, and for the other half afterward. */
export function withLatency(services: Services, time: VirtualTime, latencyMs: number): Services {
  const slow =
    <A extends unknown[], R>(ms: number, call: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      await time.sleep(ms / 2);
      try {
        return await call(...args);
      } finally {
        await time.sleep(ms / 2);
      }
    };
  const { earthEngine, store, clock } = services;
  const { records } = store;
  const slowEarthEngine: EarthEngine = {
    ...earthEngine,
    startExport: slow(latencyMs, (...call: Parameters<typeof earthEngine.startExport>) =>
      earthEngine.startExport(...call),
    ),
    getOperation: slow(latencyMs, (...call: Parameters<typeof earthEngine.getOperation>) =>
      earthEngine.getOperation(...call),
    ),
    listOperations: slow(latencyMs, (...call: Parameters<typeof earthEngine.listOperations>) =>
      earthEngine.listOperations(...call),
    ),
  };
  return {
    ...services,
    clock: { ...clock, sleep: (...call) => time.sleep(...call) },
    earthEngine: slowEarthEngine,
    store: {
      ...store,
      records: {
        ...records,
        find: slow(STORE_MS, (...call: Parameters<typeof records.find>) => records.find(...call)),
        count: slow(STORE_MS, (...call: Parameters<typeof records.count>) => records.count(...call)),
        replace: slow(STORE_MS, (...call: Parameters<typeof records.replace>) => records.replace(...call)),
        readRequest: slow(STORE_MS, (...call: Parameters<typeof records.readRequest>) =>
          records.readRequest(...call),
        ),
      },
    },
  };
}

function withSlowStorage(services: Services, time: VirtualTime, listMs = 0): Services {
  const { storage: load } = services;
  if (load === undefined) {
    return services;
  }
  const storage = async (): Promise<CloudStorage> => {
    const loaded = await load();
    return {
      ...loaded,
      list: async () => {
        await time.sleep(listMs);
        return { objects: [], isComplete: true };
      },
    };
  };
  return { ...services, storage };
}

const startedCalls = ({ simulator }: Harness) =>
  simulator.exportCalls.filter(({ outcome }) => outcome === 'STARTED');

function measure(harness: Harness, projects: readonly string[]): Drained {
  const { simulator } = harness;
  const calls = simulator.exportCalls.map(({ at }) => Date.parse(at));
  const first = calls[0] ?? 0;
  const lastStart = Date.parse(startedCalls(harness).at(-1)?.at ?? '');
  if (simulator.settings.concurrency > 0) {
    harness.clock.advance(10 * MINUTE_MS);
  }
  const ends = simulator.operations().map(({ endTime }) => Date.parse(endTime ?? '') || 0);
  const counters = simulator.counters();
  const allCalls = counters.calls.export + counters.calls.list + counters.calls.get;
  return {
    harness,
    sendingMs: lastStart - first,
    totalMs: Math.max(0, ...ends) - first,
    overRate: counters.overRate / allCalls,
    idleSlotMinutes: projects.reduce((sum, project) => sum + idleSlotMinutes(harness, project), 0),
  };
}

/** Replays the operations second by second. */
function idleSlotMinutes({ simulator }: Harness, project: string): number {
  const operations = simulator.operations().filter((operation) => operation.project === project);
  const times = operations.map(({ createTime, startTime, endTime }) => ({
    created: Date.parse(createTime),
    started: Date.parse(startTime ?? '') || Infinity,
    ended: Date.parse(endTime ?? '') || Infinity,
  }));
  const first = Math.min(...times.map(({ created }) => created));
  const last = Math.max(...times.map(({ created }) => created));
  let idleSeconds = 0;
  for (let at = first + MINUTE_MS; at < last; at += SECOND_MS) {
    const isQueued = times.some(({ created, started }) => created <= at && started > at);
    if (!isQueued) {
      const running = times.filter(({ started, ended }) => started <= at && ended > at).length;
      idleSeconds += Math.max(0, simulator.settings.concurrency - running);
    }
  }
  return idleSeconds / 60;
}

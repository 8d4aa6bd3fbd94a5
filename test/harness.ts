import type { Clock } from '../shared/clock.ts';
import { type Config, readConfig } from '../shared/config.ts';
import { createEarthEngine } from '../shared/earth-engine/client.ts';
import type { EarthEngine, EarthEngineObserver } from '../shared/earth-engine/api.ts';
import { createLog, type Log } from '../shared/log.ts';
import { parseEnvelope } from '../shared/message/envelope.ts';
import type { OutgoingMessage, Publisher } from '../shared/publisher.ts';
import { type ExportRecord, isTerminal } from '../shared/model/record.ts';
import type { Services } from '../shared/services.ts';
import { createMemoryStore } from '../infra/local/memory/store.ts';
import { isReadable, type Store, type Stored } from '../shared/store/store.ts';
import { createQuotaWatch } from '../shared/submission/quota-watch.ts';
import { createGate, type Gate } from '../shared/submission/gate.ts';
import { pollExports } from '../shared/polling/poll.ts';
import type { PollSummary } from '../shared/polling/poll-run.ts';
import { submit, type Submitted } from '../shared/submission/submit.ts';
import { policyOf } from '../shared/record/policy.ts';
import { deliver, type DeliveryRule } from '../infra/local/storage/deliver.ts';
import { inProcessStorage } from '../infra/local/storage/in-process.ts';
import { createStorage, type SimulatedStorage } from '../infra/local/storage/storage.ts';
import {
  createSimulator,
  type Fault,
  type Simulator,
  simulatorFetch,
  type SimulatorOptions,
} from '../infra/local/simulator/index.ts';
import { oneFrame } from './one-frame.ts';

/** The whole service in one process, with a clock that moves only when a test moves it: no test sleeps. */

export interface TestClock extends Clock {
  advance(ms: number): void;
}

/** Sleeping takes no time and moves the clock: a wait in the service is over at once. */
export function createTestClock(start = new Date('2026-11-23T12:00:00Z')): TestClock {
  let nowMs = start.getTime();
  return {
    now: () => new Date(nowMs),
    sleep: async (ms, signal) => {
      signal?.throwIfAborted();
      nowMs += ms;
    },
    advance: (ms) => {
      nowMs += ms;
    },
  };
}

export interface TestPublisher extends Publisher {
  readonly published: { readonly topic: string; readonly message: OutgoingMessage }[];
  /** While true, publishing fails. */
  failing: boolean;
}

export function createTestPublisher(): TestPublisher {
  const publisher: TestPublisher = {
    published: [],
    failing: false,
    publish: async (topic, messages) =>
      messages.map((message) => {
        if (publisher.failing) {
          return { error: new Error('the topic does not answer') };
        }
        publisher.published.push({ topic, message });
        return { messageId: String(publisher.published.length) };
      }),
    close: async () => {},
  };
  return publisher;
}

export interface HarnessOptions {
  readonly environment?: Readonly<Record<string, string>>;
  readonly simulator?: Omit<SimulatorOptions, 'now'>;
  readonly store?: Store;
  readonly log?: Log;
  /** With buckets, deliveries are verified, and the simulated Earth Engine writes videos by these rules. */
  readonly deliveries?: readonly DeliveryRule[];
}

/** One process of the service: its own view of the gate, the same world as the others. */
export interface Instance {
  readonly services: Services;
  readonly gate: Gate;
  submit(message: TestMessage): Promise<Submitted>;
  poll(): Promise<PollSummary>;
}

export interface TestMessage {
  readonly data: unknown;
  readonly messageId?: string;
  readonly attributes?: Readonly<Record<string, string>>;
  /** By default, all messages are published at the same time. */
  readonly publishTime?: Date;
}

export interface Harness extends Instance {
  readonly clock: TestClock;
  readonly simulator: Simulator;
  readonly store: Store;
  readonly publisher: TestPublisher;
  readonly buckets: SimulatedStorage;
  readonly config: Config;
  /** Lines that were logged, parsed. */
  readonly logged: Record<string, unknown>[];
  /** Another process. */
  instance(change?: (services: Services) => Services): Instance;
  record(id: string): Promise<ExportRecord>;
  records(): Promise<Stored<ExportRecord>[]>;
  /** Polls, a minute at a time, until every record has ended. @throws Error if that does not happen */
  untilQuiet(limits?: { polls?: number; stepMs?: number }): Promise<number>;
}

export function createHarness(options: HarnessOptions = {}): Harness {
  const clock = createTestClock();
  const { deliveries } = options;
  const config = readConfig({
    GOOGLE_CLOUD_PROJECT: 'demo-test',
    // Calls do not wait for their turn, which would move the clock.
    EARTHENGINE_REQUESTS_PER_SECOND: '1000000',
    ...(deliveries ? { STORAGE_EMULATOR_HOST: 'http://storage.test' } : { VERIFY_DELIVERY: 'off' }),
    ...options.environment,
  });
  const buckets = createStorage({ now: () => clock.now() });
  const cloudStorage = inProcessStorage(buckets);
  const simulator = createSimulator({
    ...(deliveries && { onEnd: (operation) => deliver(buckets, operation, deliveries) }),
    ...options.simulator,
    now: () => clock.now(),
    sleep: (ms) => clock.sleep(ms),
  });
  const store = options.store ?? createMemoryStore();
  const publisher = createTestPublisher();
  const logged: Record<string, unknown>[] = [];
  const log =
    options.log ??
    createLog(
      (line) => logged.push(JSON.parse(line) as Record<string, unknown>),
      () => clock.now(),
    );
  let tokens = 0;
  let seed = 1;
  const base: Services = {
    config,
    policy: policyOf(config),
    store,
    earthEngine: simulatedEarthEngine(
      simulator,
      clock,
      undefined,
      createQuotaWatch({ store, clock, log, config, publisher }),
    ),
    publisher,
    storage: deliveries && (async () => cloudStorage),
    clock,
    // A fixed sequence, so that a failure is reproducible.
    random: () => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed / 2_147_483_647;
    },
    newToken: () => {
      tokens += 1;
      return `token-${tokens}`;
    },
    log,
    stopping: new AbortController().signal,
  };
  const instance = (change: (services: Services) => Services = (services) => services): Instance => {
    const services = change(base);
    const gate = createGate(services);
    return {
      services,
      gate,
      submit: (message) => submit(services, gate, envelopeOf(message)),
      poll: () => pollExports(services, gate),
    };
  };
  const records = async (): Promise<Stored<ExportRecord>[]> => {
    const found = await store.records.find(
      { where: [], orderBy: [['createdAt', 'asc']] },
      { limit: 1_000_000 },
    );
    return found.filter(isReadable);
  };
  const first = instance();
  return {
    ...first,
    clock,
    simulator,
    store,
    publisher,
    buckets,
    config,
    logged,
    instance,
    records,
    record: async (id) => {
      const found = await store.records.get(id);
      if (!found || !isReadable(found)) {
        throw new Error(`no readable record ${id}`);
      }
      return found.value;
    },
    untilQuiet: async ({ polls = 500, stepMs = 60_000 } = {}) => {
      for (let poll = 1; poll <= polls; poll += 1) {
        await first.poll();
        const open = (await records()).filter((stored) => !isTerminal(stored.value));
        if (open.length === 0) {
          return poll;
        }
        clock.advance(stepMs);
      }
      const open = (await records()).filter((stored) => !isTerminal(stored.value));
      throw new Error(`not quiet after ${polls} polls: ${JSON.stringify(open.slice(0, 3), undefined, 1)}`);
    },
  };
}

/** A call without an answer is given up at once, and the clock moves by the time that it would have taken. */
export function simulatedEarthEngine(
  simulator: Simulator,
  clock: TestClock,
  serviceAccount?: string,
  observer?: EarthEngineObserver,
): EarthEngine {
  const auth = serviceAccount && {
    token: async () => serviceAccount,
    drop: () => {},
    serviceAccount: async () => serviceAccount,
  };
  const answer = simulatorFetch({
    ...simulator,
    handle: async (request) => {
      const result = await simulator.handle(request);
      if (result === 'SILENCE') {
        clock.advance(30_000);
        throw new DOMException('The operation was aborted due to timeout', 'TimeoutError');
      }
      return result;
    },
  });
  return createEarthEngine({
    url: 'http://earth-engine.test',
    fetch: answer,
    observer,
    now: () => clock.now(),
    ...(auth ? { auth } : {}),
  });
}

let messages = 0;

/** A push request as Pub/Sub sends it. */
export function pushBody({ data, messageId, attributes, publishTime }: TestMessage): object {
  messages += 1;
  const bytes =
    data instanceof Uint8Array ? data : Buffer.from(typeof data === 'string' ? data : JSON.stringify(data));
  return {
    message: {
      data: Buffer.from(bytes).toString('base64'),
      messageId: messageId ?? `message-${messages}`,
      publishTime: publishTime?.toISOString() ?? '2026-11-23T12:00:00.000Z',
      ...(attributes ? { attributes } : {}),
    },
    subscription: 'projects/demo-test/subscriptions/video-export-jobs',
  };
}

export function envelopeOf(message: TestMessage) {
  const envelope = parseEnvelope({
    headers: { 'content-type': 'application/json' },
    body: pushBody(message),
  });
  if (envelope === undefined) {
    throw new Error('the test made no envelope');
  }
  return envelope;
}

/** Closes the gate, as a full queue does. */
export const queueFull: Fault = {
  kind: 'status',
  status: 400,
  message: 'Too many tasks already in the queue (3000). Please wait for some of them to complete.',
};

/** A small valid job: one frame of one image, which Earth Engine would accept as a video. */
export function smallJob(
  change: Record<string, unknown> = {},
  request: Record<string, unknown> = {},
): Record<string, unknown> {
  return {
    jobKey: 'test/1',
    request: {
      expression: oneFrame('MODIS/061/MOD13A2/2020_01_01'),
      description: 'small',
      videoOptions: { framesPerSecond: 5 },
      fileExportOptions: {
        fileFormat: 'MP4',
        cloudStorageDestination: { bucket: 'my-bucket', filenamePrefix: 'small' },
      },
      ...request,
    },
    ...change,
  };
}

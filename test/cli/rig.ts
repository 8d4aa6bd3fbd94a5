import type { Connections } from '../../cli/connections.ts';
import type { Environment } from '../../cli/service/contexts.ts';
import { readServiceConfig } from '../../cli/service/service-config.ts';
import { runCli } from '../../cli/program.ts';
import { readConfig } from '../../shared/config.ts';
import { createEarthEngine } from '../../shared/earth-engine/client.ts';
import { silentLog } from '../../shared/log.ts';
import type { ExportRecord } from '../../shared/model/record.ts';
import { policyOf } from '../../shared/record/policy.ts';
import { inProcessStorage } from '../../infra/local/storage/in-process.ts';
import { createStorage, type SimulatedStorage } from '../../infra/local/storage/storage.ts';
import { createMemoryStore, type MemoryStore } from '../../infra/local/memory/store.ts';
import { createTestClock, createTestPublisher, type TestClock, type TestPublisher } from '../harness.ts';

/** The command line in this process, with an in-memory store. */
export interface Rig {
  readonly store: MemoryStore;
  readonly buckets: SimulatedStorage;
  readonly publisher: TestPublisher;
  readonly clock: TestClock;
  /** Runs while a command sleeps. */
  whileAsleep: () => void | Promise<void>;
  /** What the command that runs has written to standard output so far. */
  written(): string;
  /** Ctrl-C. */
  interrupt(): void;
  run(...args: readonly string[]): Promise<Ran>;
}

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface RigOptions {
  readonly environment?: Environment;
  readonly isInteractive?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  readonly hasColor?: boolean;
  readonly stdin?: string;
  /** What the user answers to each question; undefined if no user can. */
  readonly answer?: boolean;
  readonly connect?: () => Partial<Connections>;
}

export function createRig({
  environment = { GOOGLE_CLOUD_PROJECT: 'demo-ee' },
  isInteractive = false,
  columns = isInteractive ? 80 : Infinity,
  rows = 24,
  hasColor = false,
  stdin = '',
  answer,
  connect = () => ({}),
}: RigOptions = {}): Rig {
  const store = createMemoryStore();
  const buckets = createStorage();
  const publisher = createTestPublisher();
  const clock = createTestClock();
  const interrupted = new AbortController();
  let out: string[] = [];
  const rig: Rig = {
    written: () => out.join(''),
    store,
    buckets,
    publisher,
    clock,
    whileAsleep: () => interrupted.abort(new Error('nothing more happens in the test')),
    interrupt: () => interrupted.abort(new Error('Ctrl-C')),
    async run(...args) {
      out = [];
      const err: string[] = [];
      const code = await runCli(args, {
        terminal: {
          out: (text) => void out.push(`${text}\n`),
          err: (text) => void err.push(`${text}\n`),
          isInteractive,
          columns,
          rows,
          hasColor,
        },
        clock: {
          now: () => clock.now(),
          async sleep(ms, signal) {
            clock.advance(ms);
            await rig.whileAsleep();
            signal?.throwIfAborted();
          },
        },
        environment,
        interrupted: interrupted.signal,
        confirm:
          answer === undefined
            ? undefined
            : async (question) => {
                err.push(`${question}\n`);
                return answer;
              },
        readStdin: () => Promise.resolve(Buffer.from(stdin)),
        connect: (service) => ({
          config: async () => readConfig((await service()).environment),
          serviceConfig: async () =>
            readServiceConfig(readConfig((await service()).environment), store, environment),
          store: async () => readConfig((await service()).environment) && store,
          publisher: async () => publisher,
          keptMessages: async () => ({ pull: async () => [] }),
          storage: async () => inProcessStorage(buckets),
          topicAccess: async (names) => names.map(() => 'MAY_PUBLISH'),
          services: async () => ({
            config: readConfig((await service()).environment),
            policy: policyOf(readConfig((await service()).environment)),
            store,
            publisher,
            earthEngine: createEarthEngine({
              url: '',
              fetch: () => Promise.reject(new Error('no Earth Engine')),
            }),
            clock,
            random: () => 0.5,
            newToken: () => 'token',
            log: silentLog,
            stopping: interrupted.signal,
          }),
          close: async () => {},
          ...connect(),
        }),
      });
      return { code, out: out.join(''), err: err.join('') };
    },
  };
  return rig;
}

export const idOf = (letter: string): string => `ve1-${letter.repeat(32)}`;

/** Stores a record as the service would. */
export function put({ store }: Rig, id: string, record: ExportRecord): void {
  store.put(`videoExports/${id}`, { ...record, requestId: id });
}

/** What the service stores of its settings, for `videoExportSettings/service`. */
export const settings = {
  earthEngineProject: 'my-ee',
  allowedProjects: ['my-ee'],
  allowedDestinations: ['gs://videos/*'],
  topics: {
    jobs: 'our-jobs',
    batches: 'our-batches',
    cancellations: 'our-cancellations',
    events: 'our-events',
    deadLetters: 'our-dead-letters',
  },
  retentionDays: 31,
  maxActiveOperations: 100,
  submitDeadlineMs: 3_600_000,
  updatedAt: new Date(0),
};

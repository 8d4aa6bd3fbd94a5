import type { Connections, Environment } from '../../cli/connections.ts';
import { runCli } from '../../cli/program.ts';
import { readConfig } from '../../shared/config.ts';
import { createEarthEngine } from '../../shared/earth-engine/client.ts';
import { silentLog } from '../../shared/log.ts';
import type { ExportRecord } from '../../shared/model/record.ts';
import { policyOf } from '../../shared/record/policy.ts';
import { createMemoryStore, type MemoryStore } from '../../infra/local/memory/store.ts';
import { createTestClock, createTestPublisher, type TestClock, type TestPublisher } from '../harness.ts';

/** The command line in this process, with an in-memory store. */
export interface Rig {
  readonly store: MemoryStore;
  readonly publisher: TestPublisher;
  readonly clock: TestClock;
  /** Runs while a command sleeps. */
  whileAsleep: () => void | Promise<void>;
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
  readonly connect?: (environment: Environment) => Partial<Connections>;
}

export function createRig({
  environment = { GOOGLE_CLOUD_PROJECT: 'demo-ee' },
  isInteractive = false,
  columns = isInteractive ? 80 : Infinity,
  rows = 24,
  hasColor = false,
  stdin = '',
  connect = () => ({}),
}: RigOptions = {}): Rig {
  const store = createMemoryStore();
  const publisher = createTestPublisher();
  const clock = createTestClock();
  const interrupted = new AbortController();
  const rig: Rig = {
    store,
    publisher,
    clock,
    whileAsleep: () => interrupted.abort(new Error('nothing more happens in the test')),
    interrupt: () => interrupted.abort(new Error('Ctrl-C')),
    async run(...args) {
      const out: string[] = [];
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
        readStdin: () => Promise.resolve(Buffer.from(stdin)),
        connect: (chosen) => ({
          config: async () => readConfig(chosen),
          store: async () => readConfig(chosen) && store,
          publisher: async () => publisher,
          keptMessages: async () => ({ pull: async () => [] }),
          services: async () => ({
            config: readConfig(chosen),
            policy: policyOf(readConfig(chosen)),
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
          ...connect(chosen),
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

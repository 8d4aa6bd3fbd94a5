import { startFunction, type FunctionProcess } from '../../infra/local/function-process.ts';
import { createPubsubRest } from '../../infra/local/pubsub-rest.ts';
import {
  createSimulator,
  serveSimulator,
  type Simulator,
  type SimulatorOptions,
} from '../../infra/local/simulator/index.ts';
import type { Target } from '../../infra/targets.ts';
import { readConfig } from '../../shared/config.ts';
import type { ExportRecord } from '../../shared/model/record.ts';
import { createFirestoreStore } from '../../shared/store/firestore.ts';
import { recordQueries } from '../../shared/store/queries.ts';
import { isReadable, type Store } from '../../shared/store/store.ts';

/** Functions as processes, with the running emulators and their own simulated Earth Engine. */
export interface Rig extends AsyncDisposable {
  readonly simulator: Simulator;
  readonly store: Store;
  recordOf(jobKey: string): Promise<ExportRecord>;
  start(target: Target, env?: Readonly<Record<string, string>>): Promise<FunctionProcess>;
}

/** @param name part of the id of the emulators' project, which no other rig shares */
export async function createRig(name: string, options: SimulatorOptions = {}): Promise<Rig> {
  await using started = new AsyncDisposableStack();
  const simulator = createSimulator(options);
  const server = await serveSimulator(simulator);
  started.defer(() => server.close());
  const environment = {
    GOOGLE_CLOUD_PROJECT: `demo-${name}-${process.pid}`,
    FIRESTORE_EMULATOR_HOST: process.env['FIRESTORE_EMULATOR_HOST'] ?? '',
    PUBSUB_EMULATOR_HOST: process.env['PUBSUB_EMULATOR_HOST'] ?? '',
    EARTHENGINE_EMULATOR_HOST: `127.0.0.1:${server.port}`,
    METADATA_SERVER_DETECTION: 'none',
  };
  const config = readConfig(environment);
  const pubsub = createPubsubRest(environment.PUBSUB_EMULATOR_HOST, config.googleCloudProject);
  await Promise.all(Object.values<string>({ ...config.topics }).map((topic) => pubsub.createTopic(topic)));
  const store = createFirestoreStore({
    projectId: config.googleCloudProject,
    databaseId: config.firestoreDatabase,
    emulatorHost: config.firestoreEmulatorHost,
  });
  started.defer(() => store.close());
  const parts = started.move();
  return {
    simulator,
    store,
    async recordOf(jobKey) {
      const [found] = await store.records.find(recordQueries.ofJobKey(jobKey), { limit: 1 });
      if (!found || !isReadable(found)) {
        throw new Error(`no record of ${jobKey}`);
      }
      return found.value;
    },
    async start(target, env = {}) {
      const running = await startFunction({ target, env: { ...environment, ...env } });
      parts.defer(() => running.stop());
      return running;
    },
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}

/** Posts an object as JSON, and anything else unchanged. */
export function post(
  url: string,
  body: object | string | Uint8Array,
  headers: Readonly<Record<string, string>> = { 'content-type': 'application/json' },
): Promise<Response> {
  const sent = typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body);
  return fetch(url, { method: 'POST', headers, body: sent as string });
}

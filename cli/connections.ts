import type { Config } from '../shared/config.ts';
import type { Publisher } from '../shared/publisher.ts';
import type { Clock } from '../shared/clock.ts';
import type { Store } from '../shared/store/store.ts';

/** The service's own clients, each loaded when a command first asks for it: they cost a quarter of a second. */
export interface Connections {
  config(): Promise<Config>;
  store(): Promise<Store>;
  publisher(): Promise<Publisher>;
  close(): Promise<void>;
}

async function close(client: Promise<{ close(): Promise<void> }> | undefined): Promise<void> {
  await (await client)?.close();
}

export type Environment = Readonly<Record<string, string | undefined>>;

export function createConnections(environment: Environment, clock: Clock): Connections {
  let config: Promise<Config> | undefined;
  let store: Promise<Store> | undefined;
  let publisher: Promise<Publisher> | undefined;

  async function readSettings(): Promise<Config> {
    const { readConfig } = await import('../shared/config.ts');
    return readConfig(environment);
  }
  async function openStore(): Promise<Store> {
    const { googleCloudProject, firestoreDatabase, firestoreEmulatorHost } = await connections.config();
    const { createFirestoreStore } = await import('../shared/store/firestore.ts');
    return createFirestoreStore({
      projectId: googleCloudProject,
      databaseId: firestoreDatabase,
      emulatorHost: firestoreEmulatorHost,
    });
  }
  async function openPublisher(): Promise<Publisher> {
    const { googleCloudProject, pubsubEmulatorHost } = await connections.config();
    const { createPublisher } = await import('../shared/pubsub.ts');
    return createPublisher({ projectId: googleCloudProject, emulatorHost: pubsubEmulatorHost, clock });
  }

  const connections: Connections = {
    config: () => (config ??= readSettings()),
    store: () => (store ??= openStore()),
    publisher: () => (publisher ??= openPublisher()),
    async close() {
      // What failed to open was told where it was asked for.
      await Promise.allSettled([close(publisher), close(store)]);
    },
  };
  return connections;
}

import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';

import type { Config } from '../shared/config.ts';
import type { Publisher } from '../shared/publisher.ts';
import type { KeptMessages } from '../shared/pubsub/kept-messages.ts';
import type { TopicAccess } from '../shared/pubsub/topic-access.ts';
import type { Clock } from '../shared/clock.ts';
import type { CloudStorage } from '../shared/storage/api.ts';
import type { Services } from '../shared/services.ts';
import type { Store } from '../shared/store/store.ts';
import { policyOf } from '../shared/record/policy.ts';
import { CliError } from './cli-error.ts';
import type { Service } from './service/service.ts';

/** The service's own clients, each loaded on first use: together they take a quarter of a second to load. */
export interface Connections {
  /** What the environment and the context say: enough to find the service. */
  config(): Promise<Config>;
  /** The same with the settings that the service itself has stored: its topics, and its rules for jobs. */
  serviceConfig(): Promise<Config>;
  store(): Promise<Store>;
  publisher(): Promise<Publisher>;
  /** The subscription that keeps dead letters. */
  keptMessages(): Promise<KeptMessages>;
  storage(): Promise<CloudStorage>;
  /** Whether topics exist, and whether the user may publish to them. */
  topicAccess(names: readonly string[]): Promise<TopicAccess[]>;
  /** All of them, for actions that the service performs too. */
  services(): Promise<Services>;
  close(): Promise<void>;
}

async function close(client: Promise<{ close(): Promise<void> }> | undefined): Promise<void> {
  await (await client)?.close();
}

export function createConnections(
  service: () => Promise<Service>,
  clock: Clock,
  interrupted: AbortSignal,
): Connections {
  let config: Promise<Config> | undefined;
  let serviceConfig: Promise<Config> | undefined;
  let store: Promise<Store> | undefined;
  let publisher: Promise<Publisher> | undefined;
  let kept: Promise<KeptMessages & { close(): Promise<void> }> | undefined;
  let storage: Promise<CloudStorage> | undefined;
  let services: Promise<Services> | undefined;

  async function readSettings(): Promise<Config> {
    const { environment } = await service();
    const { readConfig } = await import('../shared/config.ts');
    return readConfig(environment);
  }
  async function readServiceConfig(): Promise<Config> {
    const { readServiceConfig } = await import('./service/service-config.ts');
    const { environment } = await service();
    return readServiceConfig(await connections.config(), await connections.store(), environment);
  }
  async function topicAccess(names: readonly string[]): Promise<TopicAccess[]> {
    const embedded = await openEmbedded(service);
    if (embedded) {
      const topics = new Set(await embedded.api.topics());
      return names.map((name) => (topics.has(name) ? 'MAY_PUBLISH' : 'MISSING'));
    }
    const { googleCloudProject, pubsubEmulatorHost } = await connections.config();
    const { checkTopicAccess } = await import('../shared/pubsub/topic-access.ts');
    return checkTopicAccess({ projectId: googleCloudProject, emulatorHost: pubsubEmulatorHost }, names);
  }
  async function openStore(): Promise<Store> {
    const { googleCloudProject, firestoreDatabase, firestoreEmulatorHost } = await connections.config();
    await untilReady('Firestore', firestoreEmulatorHost);
    const embedded = await openEmbedded(service);
    if (embedded) {
      return embedded.embeddedStore(embedded.api);
    }
    const { createFirestoreStore } = await import('../shared/store/firestore.ts');
    return createFirestoreStore({
      projectId: googleCloudProject,
      databaseId: firestoreDatabase,
      emulatorHost: firestoreEmulatorHost,
    });
  }
  async function openPublisher(): Promise<Publisher> {
    const { googleCloudProject, pubsubEmulatorHost } = await connections.config();
    await untilReady('Pub/Sub', pubsubEmulatorHost);
    const embedded = await openEmbedded(service);
    if (embedded) {
      return embedded.embeddedPublisher(embedded.api);
    }
    const { createPublisher } = await import('../shared/pubsub/publisher.ts');
    return createPublisher({ projectId: googleCloudProject, emulatorHost: pubsubEmulatorHost, clock });
  }
  async function openKeptMessages() {
    const { googleCloudProject, pubsubEmulatorHost, topics } = await connections.serviceConfig();
    await untilReady('Pub/Sub', pubsubEmulatorHost);
    const embedded = await openEmbedded(service);
    if (embedded) {
      return embedded.embeddedKeptMessages(embedded.api);
    }
    const [{ createKeptMessages }, { keptSubscription }] = await Promise.all([
      import('../shared/pubsub/kept-messages.ts'),
      import('../shared/dead-letters/replay.ts'),
    ]);
    const subscription = keptSubscription(topics);
    return createKeptMessages({
      projectId: googleCloudProject,
      emulatorHost: pubsubEmulatorHost,
      subscription,
    });
  }
  async function openStorage(): Promise<CloudStorage> {
    const { googleCloudProject, storageEmulatorHost } = await connections.config();
    await untilReady('Cloud Storage', storageEmulatorHost?.replace(/^https?:\/\//, ''));
    const { createCloudStorage } = await import('../shared/storage/client.ts');
    return createCloudStorage({ projectId: googleCloudProject, emulatorHost: storageEmulatorHost });
  }
  /** The clients look for credentials in the background, where an error would end the process: so they are checked here first. */
  async function untilReady(name: string, emulatorHost: string | undefined): Promise<void> {
    if (emulatorHost !== undefined) {
      return untilListening(name, emulatorHost);
    }
    const { googleCloudProject } = await connections.config();
    const { applicationDefaultCredentials } = await import('../shared/earth-engine/credentials.ts');
    await applicationDefaultCredentials(googleCloudProject).serviceAccount();
  }

  const connections: Connections = {
    config: () => (config ??= readSettings()),
    serviceConfig: () => (serviceConfig ??= readServiceConfig()),
    store: () => (store ??= openStore()),
    publisher: () => (publisher ??= openPublisher()),
    keptMessages: () => (kept ??= openKeptMessages()),
    storage: () => (storage ??= openStorage()),
    services: () => (services ??= openServices(connections, clock, interrupted)),
    topicAccess,
    async close() {
      // A client that failed to open was reported when it was used.
      await Promise.allSettled([close(publisher), close(kept), close(store)]);
    },
  };
  return connections;
}

async function openServices(
  connections: Connections,
  clock: Clock,
  interrupted: AbortSignal,
): Promise<Services> {
  const [config, store, publisher, { createEarthEngine }, { applicationDefaultCredentials }, { silentLog }] =
    await Promise.all([
      connections.serviceConfig(),
      connections.store(),
      connections.publisher(),
      import('../shared/earth-engine/client.ts'),
      import('../shared/earth-engine/credentials.ts'),
      import('../shared/log.ts'),
    ]);
  const earthEngine = createEarthEngine({
    url: config.earthEngineUrl,
    auth: config.earthEngineCredentials
      ? applicationDefaultCredentials(config.googleCloudProject)
      : undefined,
  });
  return {
    config,
    policy: policyOf(config),
    store,
    publisher,
    earthEngine,
    clock,
    random: Math.random,
    newToken: randomUUID,
    log: silentLog,
    stopping: interrupted,
  };
}

/** How to reach a service that has its records and topics in one process; undefined for any other. */
async function openEmbedded(service: () => Promise<Service>) {
  const { embeddedAt } = await service();
  if (embeddedAt === undefined) {
    return undefined;
  }
  const embedded = await import('./service/embedded.ts');
  return { ...embedded, api: embedded.embeddedApi(embeddedAt) };
}

const LISTENING_TIMEOUT_MS = 2000;

/** The clients retry an emulator that is not running for ten seconds; this check takes a millisecond. */
export async function untilListening(name: string, host: string | undefined): Promise<void> {
  if (host === undefined) {
    return;
  }
  const [address = '', port] = host.split(':');
  const socket = connect({ host: address, port: Number(port) });
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(LISTENING_TIMEOUT_MS) });
  } catch (cause) {
    throw new CliError(
      'NOT_RUNNING',
      `No response from the ${name} emulator at ${host}. Start the local service with npm start, or choose another service with context use.`,
      { cause },
    );
  } finally {
    socket.destroy();
  }
}

import { PubSub } from '@google-cloud/pubsub';

export interface PubSubOptions {
  readonly projectId: string;
  /** host:port. Without it the client reads PUBSUB_EMULATOR_HOST by itself. */
  readonly emulatorHost?: string | undefined;
}

export const createPubSub = ({ projectId, emulatorHost }: PubSubOptions): PubSub =>
  new PubSub({
    projectId,
    ...(emulatorHost === undefined ? {} : { apiEndpoint: emulatorHost, emulatorMode: true }),
  });

import { PubSub } from '@google-cloud/pubsub';

export interface PubSubOptions {
  readonly projectId: string;
  /** host:port. Default: PUBSUB_EMULATOR_HOST, which the client itself reads. */
  readonly emulatorHost?: string | undefined;
}

export const createPubSub = ({ projectId, emulatorHost }: PubSubOptions): PubSub =>
  new PubSub({
    projectId,
    ...(emulatorHost === undefined ? {} : { apiEndpoint: emulatorHost, emulatorMode: true }),
  });

import { SECOND_MS } from '../clock.ts';
import { rpcCodeOf, rpcCodes } from '../rpc-codes.ts';
import { createPubSub, type PubSubOptions } from './client.ts';

/** Whether a topic exists, and whether the caller may publish to it. */
export type TopicAccess = 'MISSING' | 'MAY_PUBLISH' | 'MAY_NOT_PUBLISH';

const TIMEOUT_MS = 10 * SECOND_MS;

/** @throws any other error from Pub/Sub: no credentials, no connection, the API disabled */
export async function checkTopicAccess(
  { projectId, emulatorHost }: PubSubOptions,
  names: readonly string[],
): Promise<TopicAccess[]> {
  const client = createPubSub({ projectId, emulatorHost });
  const gaxOpts = { timeout: TIMEOUT_MS };
  const check = async (name: string): Promise<TopicAccess> => {
    const topic = client.topic(name);
    try {
      if (emulatorHost !== undefined) {
        await topic.getMetadata(gaxOpts);
        return 'MAY_PUBLISH';
      }
      // Unlike reading the topic, this needs no permission; the emulator has no permissions.
      const [granted] = await topic.iam.testPermissions('pubsub.topics.publish', gaxOpts);
      return granted['pubsub.topics.publish'] ? 'MAY_PUBLISH' : 'MAY_NOT_PUBLISH';
    } catch (thrown) {
      if (rpcCodeOf(thrown) === rpcCodes.NOT_FOUND) {
        return 'MISSING';
      }
      throw thrown;
    }
  };
  try {
    return await Promise.all(names.map(check));
  } finally {
    await client.close();
  }
}

import { SECOND_MS } from '../clock.ts';
import { rpcCodes } from '../rpc-codes.ts';
import { createPubSub, type PubSubOptions } from './client.ts';

/** Whether a topic is there, and whether who asks may publish to it. */
export type TopicAccess = 'MISSING' | 'MAY_PUBLISH' | 'MAY_NOT_PUBLISH';

const LOOK_TIMEOUT_MS = 10 * SECOND_MS;

/** @throws what Pub/Sub answers beyond that: no credentials, no connection, the API disabled */
export async function checkTopicAccess(
  { projectId, emulatorHost }: PubSubOptions,
  names: readonly string[],
): Promise<TopicAccess[]> {
  const client = createPubSub({ projectId, emulatorHost });
  const gaxOpts = { timeout: LOOK_TIMEOUT_MS };
  const look = async (name: string): Promise<TopicAccess> => {
    const topic = client.topic(name);
    try {
      if (emulatorHost !== undefined) {
        await topic.getMetadata(gaxOpts);
        return 'MAY_PUBLISH';
      }
      // Asking what one may do needs no permission, as reading the topic would; the emulator has no permissions.
      const [granted] = await topic.iam.testPermissions('pubsub.topics.publish', gaxOpts);
      return granted['pubsub.topics.publish'] ? 'MAY_PUBLISH' : 'MAY_NOT_PUBLISH';
    } catch (thrown) {
      if ((thrown as { code?: unknown }).code === rpcCodes.NOT_FOUND) {
        return 'MISSING';
      }
      throw thrown;
    }
  };
  try {
    return await Promise.all(names.map(look));
  } finally {
    await client.close();
  }
}

import type { Config } from '../shared/config.ts';
import type { PublishOutcome } from '../shared/publisher.ts';
import { rpcCodeOf, rpcCodes } from '../shared/rpc-codes.ts';
import type { Cli } from './cli.ts';
import { CliError } from './cli-error.ts';

const PUBLISH_TIMEOUT_MS = 30_000;

export async function publishAll(
  cli: Cli,
  topic: string,
  messages: readonly Uint8Array[],
): Promise<PublishOutcome[]> {
  const publisher = await cli.publisher();
  return publisher.publish(
    topic,
    messages.map((data) => ({ data, attributes: {} })),
    PUBLISH_TIMEOUT_MS,
  );
}

/** @returns the message's id */
export async function publishOne(cli: Cli, topic: string, data: Uint8Array): Promise<string> {
  const [outcome] = await publishAll(cli, topic, [data]);
  if (outcome && 'messageId' in outcome) {
    return outcome.messageId;
  }
  throw publishFailure(outcome?.error, topic, await cli.serviceConfig(), 'Nothing was published');
}

/** @param what was published, for the start of the sentence */
export function publishFailure(
  failure: Error | undefined,
  topic: string,
  { googleCloudProject }: Config,
  what: string,
): CliError {
  if (rpcCodeOf(failure) !== rpcCodes.NOT_FOUND) {
    const why = failure?.message.replace(/\.$/, '') ?? 'no response from Pub/Sub';
    return new CliError('PUBLISH_FAILED', `${what}: ${why}. Publishing all of it again is safe.`, {
      cause: failure,
    });
  }
  return new CliError(
    'TOPIC_MISSING',
    `${what}: there is no topic ${topic} in ${googleCloudProject}. Check that this is the service's project (GOOGLE_CLOUD_PROJECT).`,
    { cause: failure },
  );
}

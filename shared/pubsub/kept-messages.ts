import { SECOND_MS } from '../clock.ts';
import { asError, ServiceError } from '../errors.ts';
import { rpcCodeOf, rpcCodes } from '../rpc-codes.ts';
import { createPubSub, type PubSubOptions } from './client.ts';

/** A message of the subscription that keeps dead letters. No other subscriber receives it while it is held. */
export interface KeptMessage {
  readonly messageId: string;
  readonly publishTime: Date | undefined;
  readonly attributes: Readonly<Record<string, string>>;
  readonly data: Uint8Array;
  readonly acknowledge: () => Promise<void>;
  /** Lets it be pulled again. */
  readonly release: () => Promise<void>;
}

export interface KeptMessages {
  /** At most `limit` messages; waits a few seconds for the first. An empty result means that no message is left that is not held. */
  pull(limit: number): Promise<readonly KeptMessage[]>;
}

/** A pull that waits this long without a message shows that none is left. */
const PULL_PATIENCE_MS = 5 * SECOND_MS;
const ACKNOWLEDGE_TIMEOUT_MS = 30 * SECOND_MS;

interface ReceivedMessage {
  readonly ackId: string;
  readonly message: {
    readonly data?: Uint8Array | null;
    readonly attributes?: Readonly<Record<string, string>> | null;
    readonly messageId: string;
    readonly publishTime?: {
      readonly seconds?: string | number | null;
      readonly nanos?: number | null;
    } | null;
  };
}

/** The API's methods used here. The package does not offer its generated client for them with an emulator. */
type SubscriberMethod = 'pull' | 'acknowledge' | 'modifyAckDeadline';

/**
 * Pulls from a subscription, one call at a time. A pulled message is held until its acknowledgement deadline (10 minutes for
 * dead letters), and then redelivered.
 *
 * @param subscription its name, without `projects/…/subscriptions/`
 * @param patienceMs how long a pull waits for a message
 */
export function createKeptMessages({
  projectId,
  emulatorHost,
  subscription,
  patienceMs = PULL_PATIENCE_MS,
}: PubSubOptions & {
  readonly subscription: string;
  readonly patienceMs?: number;
}): KeptMessages & {
  close(): Promise<void>;
} {
  const client = createPubSub({ projectId, emulatorHost });

  const call = (method: SubscriberMethod, options: object) =>
    new Promise<{ readonly receivedMessages?: readonly ReceivedMessage[] | null }>((resolve, reject) => {
      client.request<{ receivedMessages?: ReceivedMessage[] }>(
        {
          client: 'SubscriberClient',
          method,
          reqOpts: { subscription: `projects/${projectId}/subscriptions/${subscription}`, ...options },
          gaxOpts: { timeout: method === 'pull' ? patienceMs : ACKNOWLEDGE_TIMEOUT_MS },
        },
        (error, answer) => (error ? reject(error) : resolve(answer ?? {})),
      );
    });

  const kept = ({ ackId, message }: ReceivedMessage): KeptMessage => ({
    messageId: message.messageId,
    publishTime: message.publishTime
      ? new Date(Number(message.publishTime.seconds) * SECOND_MS + (message.publishTime.nanos ?? 0) / 1e6)
      : undefined,
    attributes: { ...message.attributes },
    data: message.data ?? new Uint8Array(0),
    acknowledge: async () => void (await call('acknowledge', { ackIds: [ackId] })),
    release: async () => void (await call('modifyAckDeadline', { ackIds: [ackId], ackDeadlineSeconds: 0 })),
  });

  return {
    async pull(limit) {
      try {
        const { receivedMessages } = await call('pull', { maxMessages: limit });
        return (receivedMessages ?? []).map(kept);
      } catch (thrown) {
        const cause = asError(thrown);
        if (rpcCodeOf(cause) === rpcCodes.DEADLINE_EXCEEDED) {
          return [];
        }
        throw new ServiceError('PULL_FAILED', `cannot read ${subscription}: ${cause.message}`, { cause });
      }
    },
    close: () => client.close(),
  };
}

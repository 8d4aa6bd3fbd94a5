import { LocalError } from './local-error.ts';

/**
 * The Pub/Sub emulator's REST interface: creates topics and subscriptions, and does what people do manually. The service
 * itself publishes through Google's client (`shared/pubsub/publisher.ts`).
 */
export interface PubsubRest {
  createTopic(topic: string): Promise<void>;
  /** Creates the subscription, or changes the endpoint of an existing one to `pushTo`. */
  subscribe(subscription: string, options: SubscriptionOptions): Promise<void>;
  /** Deletes the subscription if it exists. */
  unsubscribe(subscription: string): Promise<void>;
  /** Resolves with the message's id. */
  publish(topic: string, data: string, attributes?: Readonly<Record<string, string>>): Promise<string>;
  /** Pulls messages and acknowledges them. If there are none, it waits as long as the emulator does. */
  pull(subscription: string, signal?: AbortSignal): Promise<PulledMessage[]>;
}

export interface SubscriptionOptions {
  readonly topic: string;
  /** The address of a function; absent for a pull subscription. */
  readonly pushTo?: string;
  /** The topic for messages that were not acknowledged in `maxDeliveryAttempts` deliveries. */
  readonly deadLetters?: { readonly topic: string; readonly maxDeliveryAttempts: number };
  readonly ackDeadlineSeconds?: number;
}

export interface PulledMessage {
  readonly data: string;
  readonly attributes: Readonly<Record<string, string>>;
}

interface PullAnswer {
  readonly receivedMessages?: readonly {
    readonly ackId: string;
    readonly message: { readonly data?: string; readonly attributes?: Readonly<Record<string, string>> };
  }[];
}

/** @param host host:port of the emulator */
export function createPubsubRest(host: string, project: string): PubsubRest {
  const topicName = (topic: string) => `projects/${project}/topics/${topic}`;
  const subscriptionName = (subscription: string) => `projects/${project}/subscriptions/${subscription}`;

  /** @param tolerated a status that is not an error here */
  async function call(
    method: string,
    name: string,
    body: object | undefined,
    { tolerated, signal }: { readonly tolerated?: number; readonly signal?: AbortSignal | undefined } = {},
  ): Promise<{ readonly status: number; readonly answer: unknown }> {
    const response = await fetch(`http://${host}/v1/${name}`, {
      method,
      ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
      ...(signal && { signal }),
    });
    const text = await response.text();
    if (!response.ok && response.status !== tolerated) {
      throw new LocalError(
        'PUBSUB_EMULATOR_FAILED',
        `The Pub/Sub emulator at ${host} responded to ${method} ${name} with ${response.status}: ${text}`,
      );
    }
    return { status: response.status, answer: JSON.parse(text || '{}') };
  }

  return {
    async createTopic(topic) {
      await call('PUT', topicName(topic), {}, { tolerated: 409 });
    },
    async subscribe(subscription, { topic, pushTo, deadLetters, ackDeadlineSeconds = 60 }) {
      const pushConfig = pushTo === undefined ? {} : { pushEndpoint: pushTo };
      const { status } = await call(
        'PUT',
        subscriptionName(subscription),
        {
          topic: topicName(topic),
          pushConfig,
          ackDeadlineSeconds,
          // No retry policy: with one, the emulator (0.8.20) gives up after two or three attempts. Without one, it
          // redelivers every second.
          ...(deadLetters && {
            deadLetterPolicy: {
              deadLetterTopic: topicName(deadLetters.topic),
              maxDeliveryAttempts: deadLetters.maxDeliveryAttempts,
            },
          }),
        },
        { tolerated: 409 },
      );
      if (status === 409) {
        await call('POST', `${subscriptionName(subscription)}:modifyPushConfig`, { pushConfig });
      }
    },
    async unsubscribe(subscription) {
      await call('DELETE', subscriptionName(subscription), undefined, { tolerated: 404 });
    },
    async publish(topic, data, attributes = {}) {
      const { answer } = await call('POST', `${topicName(topic)}:publish`, {
        messages: [{ data: Buffer.from(data).toString('base64'), attributes }],
      });
      return (answer as { readonly messageIds: readonly [string] }).messageIds[0];
    },
    async pull(subscription, signal) {
      const name = subscriptionName(subscription);
      const { answer } = await call('POST', `${name}:pull`, { maxMessages: 100 }, { signal });
      const received = (answer as PullAnswer).receivedMessages ?? [];
      if (received.length > 0) {
        await call('POST', `${name}:acknowledge`, { ackIds: received.map(({ ackId }) => ackId) });
      }
      return received.map(({ message }) => ({
        data: Buffer.from(message.data ?? '', 'base64').toString(),
        attributes: message.attributes ?? {},
      }));
    },
  };
}

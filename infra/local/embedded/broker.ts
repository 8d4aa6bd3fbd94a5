import { type Clock, SECOND_MS } from '../../../shared/clock.ts';
import { ServiceError } from '../../../shared/errors.ts';
import type { OutgoingMessage, Publisher } from '../../../shared/publisher.ts';
import type { Envelope } from '../../../shared/message/envelope.ts';

/** Topics and subscriptions in memory, with what the service needs of Pub/Sub: pushes, retries, and dead letters. */
export interface Broker extends Publisher {
  readonly topics: readonly string[];
  /**
   * Calls the handler with each message of the topic. If it throws, it is called again with the same message a second later;
   * after too many times, the message goes to the topic for dead letters, if there is one.
   */
  subscribe(subscription: Subscription): void;
  /** Resolves when no handler runs. What is not delivered by then is lost, like everything else in memory. */
  stop(): Promise<void>;
}

export interface Subscription {
  readonly name: string;
  readonly topic: string;
  readonly deadLetters?: string;
  handle(message: Envelope): Promise<unknown>;
}

/** As the local stack (stack.ts) with the emulator. */
const MAX_ATTEMPTS = 20;
const RETRY_MS = SECOND_MS;
/** Handlers of a subscription that run at the same time, so that a large batch does not start all at once. */
const AT_ONCE = 10;

export function createBroker(
  topics: readonly string[],
  { clock, stopping }: { readonly clock: Clock; readonly stopping: AbortSignal },
): Broker {
  const queues = new Map<string, Queue[]>();
  const inProgress = new Set<Promise<void>>();
  let published = 0;

  const publishOne = (topic: string, { data, attributes }: OutgoingMessage): string => {
    const messageId = String((published += 1));
    const message: Message = {
      messageId,
      publishTime: clock.now(),
      attributes: { ...attributes },
      data: new Uint8Array(data),
      problem: undefined,
    };
    for (const queue of queues.get(topic) ?? []) {
      queue.waiting.push(message);
      work(queue);
    }
    return messageId;
  };

  const work = (queue: Queue): void => {
    while (queue.running < AT_ONCE && !stopping.aborted) {
      const message = queue.waiting.shift();
      if (message === undefined) {
        return;
      }
      queue.running += 1;
      const delivering = deliver(queue.subscription, message).finally(() => {
        queue.running -= 1;
        inProgress.delete(delivering);
        work(queue);
      });
      inProgress.add(delivering);
    }
  };

  const deliver = async (subscription: Subscription, message: Message): Promise<void> => {
    const { name, deadLetters } = subscription;
    for (let attempt = 1; !stopping.aborted; attempt += 1) {
      try {
        await subscription.handle({ ...message, subscription: name, deliveryAttempt: attempt });
        return;
      } catch {
        // The handler has logged why.
        if (attempt >= MAX_ATTEMPTS && deadLetters !== undefined) {
          publishOne(deadLetters, {
            data: message.data,
            attributes: {
              ...message.attributes,
              CloudPubSubDeadLetterSourceSubscription: name,
              CloudPubSubDeadLetterSourceDeliveryCount: String(attempt),
            },
          });
          return;
        }
      }
      await clock.sleep(RETRY_MS, stopping).catch(() => {});
    }
  };

  return {
    topics,
    publish: async (topic, messages) =>
      messages.map((message) =>
        topics.includes(topic)
          ? { messageId: publishOne(topic, message) }
          : { error: new ServiceError('PUBLISH_FAILED', `There is no topic ${topic}`) },
      ),
    subscribe(subscription) {
      const { topic } = subscription;
      queues.set(topic, [...(queues.get(topic) ?? []), { subscription, waiting: [], running: 0 }]);
    },
    close: async () => {},
    async stop() {
      await Promise.all(inProgress);
    },
  };
}

type Message = Omit<Envelope, 'subscription' | 'deliveryAttempt'>;

interface Queue {
  readonly subscription: Subscription;
  readonly waiting: Message[];
  running: number;
}

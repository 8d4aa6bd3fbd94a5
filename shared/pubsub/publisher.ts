import type { Topic } from '@google-cloud/pubsub';

import { SECOND_MS, type Clock } from '../clock.ts';
import { asError, ServiceError } from '../errors.ts';
import type { OutgoingMessage, Publisher, PublishOutcome } from '../publisher.ts';
import { createPubSub, type PubSubOptions } from './client.ts';
import { rpcCodes } from '../rpc-codes.ts';

export interface PubSubPublisherOptions extends PubSubOptions {
  readonly clock: Clock;
}

/** Pub/Sub takes 1,000 messages and 10 MB in one request. */
const REQUEST_MESSAGES = 1_000;
const REQUEST_BYTES = 9_000_000;

/** How long messages of different callers wait for each other, to share a request. */
const BATCHING_MS = 5;

/** How much one call has under way at once. */
const OUTSTANDING_MESSAGES = 2_000;
const OUTSTANDING_BYTES = 20_000_000;

/** How long a topic that failed is left alone: whoever publishes next is told at once, and does not wait as well. */
const PAUSE_MS = 5 * SECOND_MS;

/**
 * The client's own tries. By default they go on for ten minutes, up to a minute apart: what its caller has long given up
 * would pile up here, and be sent all at once in the end.
 */
const retries = {
  initialRetryDelayMillis: 100,
  retryDelayMultiplier: 2,
  maxRetryDelayMillis: 2 * SECOND_MS,
  initialRpcTimeoutMillis: 15 * SECOND_MS,
  rpcTimeoutMultiplier: 1,
  maxRpcTimeoutMillis: 15 * SECOND_MS,
  totalTimeoutMillis: 30 * SECOND_MS,
};

/** One message is wrong, which says nothing of the topic. */
const isInvalid = (thrown: unknown): boolean =>
  (thrown as { code?: unknown }).code === rpcCodes.INVALID_ARGUMENT;

/** A topic, and since when it is in doubt. */
interface Target {
  readonly topic: Topic;
  /** The same, with every message in a request of its own. */
  readonly singly: Topic;
  /** Until then nothing is sent to it. */
  pausedUntil: number;
}

/**
 * Publishes through Pub/Sub. Memory in use is bounded by what callers hand over: publish many
 * thousands in slices.
 */
export function createPublisher({ projectId, emulatorHost, clock }: PubSubPublisherOptions): Publisher {
  const client = createPubSub({ projectId, emulatorHost });
  const targets = new Map<string, Target>();
  const underWay = new Set<Promise<unknown>>();

  function targetOf(name: string): Target {
    const known = targets.get(name);
    if (known) {
      return known;
    }
    const gaxOpts = { retry: { backoffSettings: retries } };
    const batching = {
      maxMessages: REQUEST_MESSAGES,
      maxBytes: REQUEST_BYTES,
      maxMilliseconds: BATCHING_MS,
    };
    const target = {
      topic: client.topic(name, { batching, gaxOpts }),
      singly: client.topic(name, { batching: { maxMessages: 1 }, gaxOpts }),
      pausedUntil: 0,
    };
    targets.set(name, target);
    return target;
  }

  /** Publishes one; what fails puts the topic in doubt, what succeeds clears it. */
  async function publishOne(target: Target, message: OutgoingMessage): Promise<PublishOutcome> {
    try {
      const data = Buffer.from(message.data.buffer, message.data.byteOffset, message.data.length);
      const outgoing = { data, attributes: { ...message.attributes } };
      const messageId = await target.topic.publishMessage(outgoing).catch((refusal: unknown) => {
        // The request is refused as a whole, also for a message of another caller: on its own it may be taken.
        if (!isInvalid(refusal)) {
          throw refusal;
        }
        return target.singly.publishMessage(outgoing);
      });
      target.pausedUntil = 0;
      return { messageId };
    } catch (thrown) {
      const cause = asError(thrown);
      if (!isInvalid(cause)) {
        pause(target);
      }
      const error = new ServiceError(
        'PUBLISH_FAILED',
        // The client's message repeats the error of every try, which may be a hundred.
        `${target.topic.name} did not take a message: ${cause.message.slice(0, 300)}`,
        { cause },
      );
      return { error };
    }
  }

  const pause = (target: Target): void => {
    target.pausedUntil = clock.now().getTime() + PAUSE_MS;
  };

  async function publish(
    name: string,
    messages: readonly OutgoingMessage[],
    timeoutMs: number,
  ): Promise<PublishOutcome[]> {
    const target = targetOf(name);
    const outcomes: PublishOutcome[] = [];
    const fillWith = (error: ServiceError): PublishOutcome[] => [
      ...outcomes,
      ...messages.slice(outcomes.length).map(() => ({ error })),
    ];
    const paused = () =>
      fillWith(
        new ServiceError(
          'PUBLISH_PAUSED',
          `${name} failed a moment ago; publish again in ${PAUSE_MS / 1000} s`,
        ),
      );
    if (clock.now().getTime() < target.pausedUntil) {
      return paused();
    }
    // After a failure the first to come tries alone: until its answer the others are told to wait.
    if (target.pausedUntil > 0) {
      pause(target);
    }

    const stop = new AbortController();
    const late = clock.sleep(timeoutMs, stop.signal).then(
      () => 'LATE' as const,
      () => 'LATE' as const,
    );
    try {
      for (const slice of slices(messages)) {
        const sent = await Promise.race([
          late,
          Promise.all(slice.map((message) => publishOne(target, message))),
        ]);
        if (sent === 'LATE') {
          pause(target);
          const message = `${name} did not answer within ${timeoutMs} ms; the message may still be published`;
          return fillWith(new ServiceError('PUBLISH_TIMEOUT', message));
        }
        outcomes.push(...sent);
        if (target.pausedUntil > 0) {
          return paused();
        }
      }
      return outcomes;
    } finally {
      stop.abort();
    }
  }

  return {
    async publish(topic, messages, timeoutMs) {
      if (messages.length === 0) {
        return [];
      }
      const publishing = publish(topic, messages, timeoutMs);
      underWay.add(publishing);
      try {
        return await publishing;
      } finally {
        underWay.delete(publishing);
      }
    },

    async close() {
      // Every call ends within its own time, and what it has buffered is sent after BATCHING_MS.
      await Promise.allSettled(underWay);
      await client.close();
    },
  };
}

/** What may be under way at once: no more than the limits, and at least one message. */
function* slices(messages: readonly OutgoingMessage[]): Generator<readonly OutgoingMessage[]> {
  let start = 0;
  let bytes = 0;
  for (const [index, { data }] of messages.entries()) {
    if (index > start && (index - start >= OUTSTANDING_MESSAGES || bytes + data.length > OUTSTANDING_BYTES)) {
      yield messages.slice(start, index);
      start = index;
      bytes = 0;
    }
    bytes += data.length;
  }
  yield messages.slice(start);
}

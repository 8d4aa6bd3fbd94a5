import type { PubSub, Topic } from '@google-cloud/pubsub';

import { SECOND_MS, type Clock } from '../clock.ts';
import { asError, type ErrorCode, ServiceError } from '../errors.ts';
import type { OutgoingMessage, Publisher, PublishOutcome } from '../publisher.ts';
import { rpcCodeOf, rpcCodes } from '../rpc-codes.ts';
import { truncate } from '../text.ts';
import { createPubSub, type PubSubOptions } from './client.ts';

export interface PubSubPublisherOptions extends PubSubOptions {
  readonly clock: Clock;
}

/** Pub/Sub accepts 1,000 messages and 10 MB in one request. */
const REQUEST_MESSAGES = 1_000;
const REQUEST_BYTES = 9_000_000;

/** How long messages of different callers wait for each other, to share a request. */
const BATCHING_MS = 5;

/** How much one call sends before it waits for responses. */
const OUTSTANDING_MESSAGES = 2_000;
const OUTSTANDING_BYTES = 20_000_000;

/** How long a topic that failed is paused: until then, calls for it fail at once instead of waiting for a timeout. */
const PAUSE_MS = 5 * SECOND_MS;

/**
 * The client's own retries. Its defaults go on for ten minutes, up to a minute apart: messages that their callers have
 * long abandoned would accumulate, and all be sent in the end.
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

/** One message is invalid, which is no evidence against the topic. */
const isInvalid = (thrown: unknown): boolean => rpcCodeOf(thrown) === rpcCodes.INVALID_ARGUMENT;

interface Target {
  readonly name: string;
  readonly topic: Topic;
  /** The same topic, with one message per request. */
  readonly unbatched: Topic;
  /** Nothing is sent before this time. 0 if the last message succeeded. */
  pausedUntil: number;
}

/**
 * Publishes through Pub/Sub. Callers bound the memory in use by how much they pass at once: publish many thousands of
 * messages in slices.
 */
export function createPublisher({ projectId, emulatorHost, clock }: PubSubPublisherOptions): Publisher {
  const client = createPubSub({ projectId, emulatorHost });
  const targets = new Map<string, Target>();
  const inProgress = new Set<Promise<unknown>>();

  return {
    async publish(topic, messages, timeoutMs) {
      if (messages.length === 0) {
        return [];
      }
      const target = targets.get(topic) ?? openTarget(client, topic);
      targets.set(topic, target);
      const publishing = publishAll(target, messages, timeoutMs, clock);
      inProgress.add(publishing);
      try {
        return await publishing;
      } finally {
        inProgress.delete(publishing);
      }
    },

    async close() {
      // Each call ends within its timeout, and what it has buffered is sent after BATCHING_MS.
      await Promise.allSettled(inProgress);
      await client.close();
    },
  };
}

function openTarget(client: PubSub, name: string): Target {
  const gaxOpts = { retry: { backoffSettings: retries } };
  const batching = { maxMessages: REQUEST_MESSAGES, maxBytes: REQUEST_BYTES, maxMilliseconds: BATCHING_MS };
  return {
    name,
    topic: client.topic(name, { batching, gaxOpts }),
    unbatched: client.topic(name, { batching: { maxMessages: 1 }, gaxOpts }),
    pausedUntil: 0,
  };
}

function pause(target: Target, clock: Clock): void {
  target.pausedUntil = clock.now().getTime() + PAUSE_MS;
}

async function publishAll(
  target: Target,
  messages: readonly OutgoingMessage[],
  timeoutMs: number,
  clock: Clock,
): Promise<PublishOutcome[]> {
  const outcomes: PublishOutcome[] = [];
  const failRest = (code: ErrorCode, message: string): PublishOutcome[] => {
    const error = new ServiceError(code, message);
    return [...outcomes, ...messages.slice(outcomes.length).map(() => ({ error }))];
  };
  const failPaused = () =>
    failRest('PUBLISH_PAUSED', `${target.name} failed a moment ago; retry in ${PAUSE_MS / SECOND_MS} s`);
  if (clock.now().getTime() < target.pausedUntil) {
    return failPaused();
  }
  // After a failure, one call tries the topic: until it succeeds, the topic stays paused for the others.
  if (target.pausedUntil > 0) {
    pause(target, clock);
  }

  const stop = new AbortController();
  const isLate = () => 'LATE' as const;
  const late = clock.sleep(timeoutMs, stop.signal).then(isLate, isLate);
  try {
    for (const slice of slices(messages)) {
      const sent = await Promise.race([
        late,
        Promise.all(slice.map((message) => publishOne(target, message, clock))),
      ]);
      if (sent === 'LATE') {
        pause(target, clock);
        return failRest(
          'PUBLISH_TIMEOUT',
          `${target.name} did not respond within ${timeoutMs} ms; the message may still be published`,
        );
      }
      outcomes.push(...sent);
      if (target.pausedUntil > 0) {
        return failPaused();
      }
    }
    return outcomes;
  } finally {
    stop.abort();
  }
}

/** Publishes one message. A failure pauses the topic; a success ends the pause. */
async function publishOne(target: Target, message: OutgoingMessage, clock: Clock): Promise<PublishOutcome> {
  try {
    const data = Buffer.from(message.data.buffer, message.data.byteOffset, message.data.length);
    const outgoing = { data, attributes: { ...message.attributes } };
    const messageId = await target.topic.publishMessage(outgoing).catch((error: unknown) => {
      // Pub/Sub rejects a whole request, also for another caller's message: this one alone may be valid.
      if (!isInvalid(error)) {
        throw error;
      }
      return target.unbatched.publishMessage(outgoing);
    });
    target.pausedUntil = 0;
    return { messageId };
  } catch (thrown) {
    const cause = asError(thrown);
    if (!isInvalid(cause)) {
      pause(target, clock);
    }
    // The client's message repeats the errors of all retries, which can be a hundred.
    const message = `publishing to ${target.topic.name} failed: ${truncate(cause.message, 300)}`;
    return { error: new ServiceError('PUBLISH_FAILED', message, { cause }) };
  }
}

/** Slices of at least one message that stay within the limits of what is outstanding. */
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

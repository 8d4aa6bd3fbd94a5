import type { Topics } from '../config.ts';
import { ServiceError } from '../errors.ts';
import type { KeptMessage, KeptMessages } from '../pubsub/kept-messages.ts';
import type { OutgoingMessage } from '../publisher.ts';
import type { Services } from '../services.ts';
import { isReadable, type Stored } from '../store/store.ts';
import { rejectedMessageIdIn } from './record-dead-letter.ts';
import type { RejectedMessage } from '../model/rejected-message.ts';

/**
 * Dead messages, published again to where they came from. Their bytes are kept whole by a pull subscription of the
 * dead-letter topic, named `{topic}-kept`: Firestore has only the first 8 KB.
 *
 * Replaying twice runs nothing twice: a job is identified by its content or key, a manifest by its run, and a message is
 * acknowledged only after it was published and marked.
 */

/** The subscription that keeps what arrives at the dead-letter topic. */
export function keptSubscription(topics: Topics): string {
  return `${topics.deadLetters}-kept`;
}

export interface ReplayOptions {
  /** Which rejections: by default DEAD_LETTER alone, since what was refused as wrong is wrong again. */
  readonly reasons?: readonly string[];
  /** Only these (`rejectedMessages` ids); by default all with one of the reasons. */
  readonly messageIds?: readonly string[];
  /** Says what would be done. */
  readonly dryRun?: boolean;
}

export interface ReplayedMessage {
  readonly messageId: string;
  readonly outcome:
    | 'REPLAYED'
    /** A replay that crashed had published it. */
    | 'REPLAYED_BEFORE'
    | 'WOULD_REPLAY'
    /** It cannot be told which topic it came from. */
    | 'UNKNOWN_SOURCE'
    /** The topic did not take it; it is kept. */
    | 'NOT_PUBLISHED'
    /** Something else failed, which the log tells; it is kept. */
    | 'FAILED';
  readonly topic?: string;
  readonly recordId?: string;
}

const PULLED_AT_ONCE = 10;
const PATIENCE_MS = 30_000;

/**
 * Replays every kept message that the options name; the rest stay. Never throws for a single message.
 *
 * @throws ServiceError STORE_TIMEOUT when the store does not answer
 */
export async function replayDeadLetters(
  services: Pick<Services, 'store' | 'publisher' | 'config' | 'clock' | 'log'>,
  kept: KeptMessages,
  options: ReplayOptions = {},
): Promise<ReplayedMessage[]> {
  const results: ReplayedMessage[] = [];
  // Let go only at the end: what is released earlier is pulled again at once. The bytes are not held.
  const releases: (() => Promise<void>)[] = [];
  try {
    for (;;) {
      const messages = await kept.pull(PULLED_AT_ONCE);
      if (messages.length === 0) {
        return results;
      }
      for (const message of messages) {
        const result = await replayOrFail(services, message, options);
        if (result) {
          results.push(result);
        }
        if (result?.outcome === 'REPLAYED' || result?.outcome === 'REPLAYED_BEFORE') {
          await message.acknowledge();
        } else {
          releases.push(() => message.release());
        }
      }
    }
  } finally {
    await Promise.all(releases.map((release) => release()));
  }
}

/** One message that cannot be replayed must not hold up those behind it. */
async function replayOrFail(
  services: Pick<Services, 'store' | 'publisher' | 'config' | 'clock' | 'log'>,
  message: KeptMessage,
  options: ReplayOptions,
): Promise<ReplayedMessage | undefined> {
  try {
    return await replayOne(services, message, options);
  } catch (error) {
    // A store that does not answer would not for the next one either.
    if (error instanceof ServiceError && error.code === 'STORE_TIMEOUT') {
      throw error;
    }
    const { messageId } = message;
    services.log.error('dead_letter.failed', error, { messageId });
    return { messageId, outcome: 'FAILED' };
  }
}

async function replayOne(
  services: Pick<Services, 'store' | 'publisher' | 'config' | 'clock' | 'log'>,
  message: KeptMessage,
  { reasons = ['DEAD_LETTER'], messageIds, dryRun = false }: ReplayOptions,
): Promise<ReplayedMessage | undefined> {
  const { store, publisher, config, clock, log } = services;
  const messageId = rejectedMessageIdIn(message.attributes) ?? message.messageId;
  const found = await store.rejectedMessages.get(messageId);
  const rejected = found && isReadable(found) ? found : undefined;
  // Without a document it died beside a record that noted it, or has not been recorded yet.
  const reason = rejected?.value.reason ?? 'DEAD_LETTER';
  if (!reasons.includes(reason) || (messageIds && !messageIds.includes(messageId))) {
    return undefined;
  }

  const told = rejected?.value.recordId === undefined ? {} : { recordId: rejected.value.recordId };
  const topic = sourceTopic(config.topics, message, rejected?.value);
  if (topic === undefined) {
    return { messageId, outcome: 'UNKNOWN_SOURCE', ...told };
  }
  if (rejected?.value.replayedAt) {
    return { messageId, outcome: 'REPLAYED_BEFORE', topic, ...told };
  }
  if (dryRun) {
    return { messageId, outcome: 'WOULD_REPLAY', topic, ...told };
  }

  const [outcome] = await publisher.publish(topic, [original(message, rejected?.value)], PATIENCE_MS);
  if (!outcome || 'error' in outcome) {
    log.warning('dead_letter.not_published', { messageId, topic, error: outcome?.error.message });
    return { messageId, outcome: 'NOT_PUBLISHED', topic, ...told };
  }
  if (rejected) {
    await markReplayed(services, rejected, clock.now());
  }
  log.info('dead_letter.replayed', { messageId, topic, replayedAs: outcome.messageId, ...told });
  return { messageId, outcome: 'REPLAYED', topic, ...told };
}

async function markReplayed(
  { store, log }: Pick<Services, 'store' | 'log'>,
  rejected: Stored<RejectedMessage>,
  replayedAt: Date,
): Promise<void> {
  try {
    await store.rejectedMessages.replace(rejected, { ...rejected.value, replayedAt });
  } catch (error) {
    // It is published, which is what counts; unmarked, at worst it is published once more.
    log.error('dead_letter.not_marked', error, { messageId: rejected.id });
  }
}

/**
 * A push subscription is named after its topic (`{topic}-push`), and a function that refuses a message says which it
 * is.
 */
function sourceTopic(
  topics: Topics,
  { attributes }: KeptMessage,
  rejected: RejectedMessage | undefined,
): string | undefined {
  const subscription = attributes['CloudPubSubDeadLetterSourceSubscription'];
  const sources = [topics.jobs, topics.batches, topics.cancellations];
  if (subscription !== undefined) {
    const named = sources.filter((topic) => subscription === topic || subscription.startsWith(`${topic}-`));
    // Of two names that begin alike, the longer is meant.
    return named.sort((a, b) => b.length - a.length)[0];
  }
  switch (rejected?.source) {
    case 'submitExport':
      return topics.jobs;
    case 'expandBatch':
      return topics.batches;
    case 'cancelExports':
      return topics.cancellations;
    default:
      return undefined;
  }
}

/** A manifest without a `run` takes it from its publish time, so that time goes along: else a replay were another run. */
function original(message: KeptMessage, rejected: RejectedMessage | undefined): OutgoingMessage {
  // What only the dead-letter topic's copy has.
  const added = message.attributes['rejectedMessageId'] === undefined ? [] : ['rejectedMessageId', 'reason'];
  const attributes = Object.fromEntries(
    Object.entries(message.attributes).filter(
      ([name]) => !name.startsWith('CloudPubSubDeadLetter') && !added.includes(name),
    ),
  );
  const publishTime =
    attributes['originalPublishTime'] ??
    message.attributes['CloudPubSubDeadLetterSourceTopicPublishTime'] ??
    (rejected?.publishTime ?? message.publishTime)?.toISOString();
  return {
    data: message.data,
    attributes: publishTime === undefined ? attributes : { ...attributes, originalPublishTime: publishTime },
  };
}

import type { Topics } from '../config.ts';
import { ServiceError } from '../errors.ts';
import type { KeptMessage, KeptMessages } from '../pubsub/kept-messages.ts';
import type { OutgoingMessage } from '../publisher.ts';
import type { Services } from '../services.ts';
import { isReadable, type Stored } from '../store/store.ts';
import { rejectedMessageIdIn } from './record-dead-letter.ts';
import type { RejectedMessage } from '../model/rejected-message.ts';

/**
 * Publishes dead letters, and originals of rejected messages, to their first topic again. A pull subscription of the
 * dead-letter topic, named `{topic}-kept`, keeps all of their bytes; Firestore has only the first 8 KB.
 *
 * Replaying twice starts nothing twice: a job is identified by its content or key and a manifest by its run, and a message is
 * acknowledged only after it was published and marked.
 */

/** The subscription that keeps the messages of the dead-letter topic. */
export function keptSubscription(topics: Topics): string {
  return `${topics.deadLetters}-kept`;
}

export interface ReplayOptions {
  /** Only messages with these reasons; by default DEAD_LETTER, since a rejected message would be rejected again. */
  readonly reasons?: readonly string[];
  /** Only these (ids of `rejectedMessages`); by default all with one of the reasons. */
  readonly messageIds?: readonly string[];
  /** Only reports what would be done. */
  readonly dryRun?: boolean;
  /** Called after each message, with the number of messages so far. */
  readonly onProgress?: (count: number) => void;
}

export interface ReplayedMessage {
  readonly messageId: string;
  readonly outcome:
    | 'REPLAYED'
    /** An earlier replay published it and then crashed. */
    | 'REPLAYED_BEFORE'
    | 'WOULD_REPLAY'
    /** Its first topic is unknown. */
    | 'UNKNOWN_SOURCE'
    /** Publishing failed; the message stays kept. */
    | 'NOT_PUBLISHED'
    /** Something else failed, which is logged; the message stays kept. */
    | 'FAILED';
  readonly topic?: string;
  readonly recordId?: string;
}

export interface ReplayResult {
  readonly messages: readonly ReplayedMessage[];
  /** How many of the published messages are rejected again already. They are kept again, for another replay. */
  readonly rejectedAgain: number;
  /** How many other messages were kept after this replay began, and are left for another one. */
  readonly keptSince: number;
  readonly isInterrupted: boolean;
}

/** Bounds the memory: a message has up to 10 MB. */
const PULLED_AT_ONCE = 10;
/**
 * So many pulls in a row without a new message end a replay. Messages that it leaves are redelivered after their
 * acknowledgment deadline, so pulls of a long replay need not ever be empty.
 */
const MAX_STALE_PULLS = 20;
const READ_AT_ONCE = 300;
const PUBLISH_TIMEOUT_MS = 30_000;

type ReplayServices = Pick<Services, 'store' | 'publisher' | 'config' | 'clock' | 'log' | 'stopping'>;

/**
 * Replays every message that the options select and that was kept before now, each once; the rest stay. A message that is
 * rejected again is kept again, so without this bound a replay would never end. A single message that fails does not throw.
 *
 * @throws ServiceError STORE_TIMEOUT if the store does not answer
 */
export async function replayKeptMessages(
  services: ReplayServices,
  kept: KeptMessages,
  options: ReplayOptions = {},
): Promise<ReplayResult> {
  const { clock, stopping } = services;
  const startedAt = clock.now();
  const messages: ReplayedMessage[] = [];
  const seen = new Set<string>();
  /** The ids of what this replay published: what is rejected again has them, whatever the clocks of Pub/Sub say. */
  const published = new Set<string>();
  let keptSince = 0;
  // Released only at the end: otherwise they would be pulled again at once.
  const releases: (() => Promise<void>)[] = [];
  try {
    for (let stalePulls = 0; stalePulls < MAX_STALE_PULLS && !stopping.aborted;) {
      const pulled = await kept.pull(PULLED_AT_ONCE);
      if (pulled.length === 0) {
        break;
      }
      stalePulls = pulled.some(({ messageId }) => !seen.has(messageId)) ? 0 : stalePulls + 1;
      for (const message of pulled) {
        const isNew = !seen.has(message.messageId) && !stopping.aborted;
        seen.add(message.messageId);
        const isOwn = published.has(rejectedMessageIdIn(message.attributes) ?? '');
        const isLate = !isOwn && message.publishTime !== undefined && message.publishTime > startedAt;
        keptSince += isNew && isLate ? 1 : 0;
        const replayed =
          isNew && !isOwn && !isLate ? await replayOrFail(services, message, options) : undefined;
        if (!replayed?.isDone) {
          // Not the message itself: its bytes would stay in memory.
          releases.push(message.release);
        }
        if (replayed) {
          messages.push(replayed.message);
          options.onProgress?.(messages.length);
        }
        if (replayed?.publishedAs !== undefined) {
          published.add(replayed.publishedAs);
        }
      }
    }
  } finally {
    await Promise.all(releases.map((release) => release()));
  }
  const rejectedAgain = await countRejected(services, [...published]);
  return { messages, rejectedAgain, keptSince, isInterrupted: stopping.aborted };
}

async function countRejected({ store }: ReplayServices, messageIds: readonly string[]): Promise<number> {
  let rejected = 0;
  for (let start = 0; start < messageIds.length; start += READ_AT_ONCE) {
    rejected += (await store.rejectedMessages.getMany(messageIds.slice(start, start + READ_AT_ONCE))).length;
  }
  return rejected;
}

interface Replayed {
  readonly message: ReplayedMessage;
  /** It is published and acknowledged. */
  readonly isDone?: boolean;
  readonly publishedAs?: string;
}

/** One message that cannot be replayed must not hold up the others. */
async function replayOrFail(
  services: ReplayServices,
  message: KeptMessage,
  options: ReplayOptions,
): Promise<Replayed | undefined> {
  try {
    const replayed = await replayOne(services, message, options);
    if (replayed?.isDone) {
      await message.acknowledge();
    }
    return replayed;
  } catch (error) {
    // A store that does not answer will not answer for the next message either.
    if (error instanceof ServiceError && error.code === 'STORE_TIMEOUT') {
      throw error;
    }
    const { messageId } = message;
    services.log.error('message.replay_failed', error, { messageId });
    return { message: { messageId, outcome: 'FAILED' } };
  }
}

async function replayOne(
  services: ReplayServices,
  message: KeptMessage,
  { reasons = ['DEAD_LETTER'], messageIds, dryRun = false }: ReplayOptions,
): Promise<Replayed | undefined> {
  const { store, publisher, config, clock, log } = services;
  const messageId = rejectedMessageIdIn(message.attributes) ?? message.messageId;
  const found = await store.rejectedMessages.get(messageId);
  const rejected = found && isReadable(found) ? found : undefined;
  // Without a document, it is a dead letter that its job's record mentions, or that is not recorded yet.
  const reason = rejected?.value.reason ?? 'DEAD_LETTER';
  if (!reasons.includes(reason) || (messageIds && !messageIds.includes(messageId))) {
    return undefined;
  }

  const job = rejected?.value.recordId === undefined ? {} : { recordId: rejected.value.recordId };
  const topic = sourceTopic(config.topics, message, rejected?.value);
  if (topic === undefined) {
    return { message: { messageId, outcome: 'UNKNOWN_SOURCE', ...job } };
  }
  if (rejected?.value.replayedAt) {
    return { message: { messageId, outcome: 'REPLAYED_BEFORE', topic, ...job }, isDone: true };
  }
  if (dryRun) {
    return { message: { messageId, outcome: 'WOULD_REPLAY', topic, ...job } };
  }

  const [outcome] = await publisher.publish(topic, [original(message, rejected?.value)], PUBLISH_TIMEOUT_MS);
  if (!outcome || 'error' in outcome) {
    log.warning('message.not_replayed', { messageId, topic, error: outcome?.error.message });
    return { message: { messageId, outcome: 'NOT_PUBLISHED', topic, ...job } };
  }
  if (rejected) {
    await markReplayed(services, rejected, clock.now());
  }
  log.info('message.replayed', { messageId, topic, replayedAs: outcome.messageId, ...job });
  const replayed = { messageId, outcome: 'REPLAYED', topic, ...job } as const;
  return { message: replayed, isDone: true, publishedAs: outcome.messageId };
}

async function markReplayed(
  { store, log }: Pick<Services, 'store' | 'log'>,
  rejected: Stored<RejectedMessage>,
  replayedAt: Date,
): Promise<void> {
  try {
    await store.rejectedMessages.replace(rejected, { ...rejected.value, replayedAt });
  } catch (error) {
    // It is published, which matters more; without the mark, at worst it is published once more.
    log.error('message.not_marked', error, { messageId: rejected.id });
  }
}

/** A dead letter has its subscription, `{topic}-push`; a rejected message, the function that rejected it. */
function sourceTopic(
  topics: Topics,
  { attributes }: KeptMessage,
  rejected: RejectedMessage | undefined,
): string | undefined {
  const subscription = attributes['CloudPubSubDeadLetterSourceSubscription'];
  const sources = [topics.jobs, topics.batches, topics.cancellations];
  if (subscription !== undefined) {
    const named = sources.filter((topic) => subscription === topic || subscription.startsWith(`${topic}-`));
    // If one topic's name begins with another's, the longer one is meant.
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

/** Keeps the first publish time, after which a manifest without a `run` is named: otherwise a replay would be another run. */
function original(message: KeptMessage, rejected: RejectedMessage | undefined): OutgoingMessage {
  // Attributes that only the copy in the dead-letter topic has.
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

import { later } from '../clock.ts';
import { ServiceError } from '../errors.ts';
import type { Services } from '../services.ts';
import { isReserved } from '../store/limits.ts';
import { isReadable } from '../store/store.ts';
import { truncateToBytes } from '../text.ts';
import type { Envelope } from './envelope.ts';
import { storableIssues } from '../issues.ts';
import type { Issue, RejectedMessage } from '../model/rejected-message.ts';

/** Records a message that cannot become a job, so that its sender can look it up. */

const KEPT_DATA_BYTES = 8 * 1024;
/** Pub/Sub does not accept larger messages; attributes count too. */
const MAX_PUBLISHED_BYTES = 10_000_000 - 100_000;
const KEEP_TIMEOUT_MS = 5000;

export interface RejectionDetail {
  readonly reason: RejectedMessage['reason'];
  readonly issues: readonly Issue[];
  /** The function that rejects it, such as `submitExport`. */
  readonly source: string;
  readonly recordId?: string | undefined;
  readonly batchId?: string | undefined;
}

/**
 * Writes `rejectedMessages/{messageId}` once, however often the message is delivered, then publishes the original to the
 * dead-letter topic, where it is kept for a replay. The document says whether that is still to be done, because a process
 * can die in between: the redelivery then does it.
 *
 * @throws what the store throws, or PUBLISH_FAILED: the message is then redelivered
 */
export async function rejectMessage(
  services: Pick<Services, 'store' | 'publisher' | 'config' | 'policy' | 'clock' | 'log'>,
  envelope: Envelope,
  { reason, issues, source, recordId, batchId }: RejectionDetail,
): Promise<void> {
  const { store, clock, log, policy } = services;
  const now = clock.now();
  // A dead letter's original is in that topic already.
  const isToKeep =
    reason !== 'DEAD_LETTER' && envelope.data.length > 0 && envelope.data.length <= MAX_PUBLISHED_BYTES;
  const { messageId, publishTime, attributes, deliveryAttempt, data } = envelope;
  const rejected: RejectedMessage = {
    reason,
    issues: storableIssues(issues),
    source,
    publishTime,
    attributes: storable(attributes),
    data: new TextDecoder().decode(data.subarray(0, KEPT_DATA_BYTES)),
    deliveryAttempt,
    recordId,
    batchId,
    ...(isToKeep && { owesOriginal: true as const }),
    createdAt: now,
    expireAt: later(now, policy.retentionMs),
  };
  const outcome = await store.rejectedMessages.create(messageId, rejected);
  const recorded = 'created' in outcome ? outcome.created : outcome.existing;
  log.warning('message.rejected', {
    messageId,
    reason,
    source,
    recordId,
    issues: issues.length,
    path: rejected.issues[0]?.path,
  });
  if (isReadable(recorded) && recorded.value.owesOriginal) {
    await keepOriginal(services, envelope, reason);
    const { owesOriginal: _kept, ...kept } = recorded.value;
    await store.rejectedMessages.replace(recorded, kept);
  }
}

/** Pub/Sub's limits (https://cloud.google.com/pubsub/quotas#resource_limits), for senders that do not use Pub/Sub. */
const MAX_ATTRIBUTES = 100;
const NAME_BYTES = 256;
const VALUE_BYTES = 1024;

/** Attributes as a map that Firestore accepts: writing any other map would fail forever. */
function storable(attributes: Readonly<Record<string, string>>): Record<string, string> {
  const entries = Object.entries(attributes).slice(0, MAX_ATTRIBUTES);
  const cut = entries.map(([longName, value]) => {
    const name = truncateToBytes(longName, NAME_BYTES);
    return [isReserved(name) || name === '' ? `(${name})` : name, truncateToBytes(value, VALUE_BYTES)];
  });
  return Object.fromEntries(cut) as Record<string, string>;
}

async function keepOriginal(
  { publisher, config }: Pick<Services, 'publisher' | 'config'>,
  { messageId, attributes, data }: Envelope,
  reason: string,
): Promise<void> {
  const message = { data, attributes: { ...attributes, rejectedMessageId: messageId, reason } };
  const [outcome] = await publisher.publish(config.topics.deadLetters, [message], KEEP_TIMEOUT_MS);
  if (outcome && 'error' in outcome) {
    const { message: why } = outcome.error;
    throw new ServiceError('PUBLISH_FAILED', `The original of ${messageId} could not be kept: ${why}`, {
      cause: outcome.error,
    });
  }
}

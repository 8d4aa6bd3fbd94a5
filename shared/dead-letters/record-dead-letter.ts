import { carry } from '../record/carry.ts';
import type { ExportRecord } from '../model/record.ts';
import { updateRecord } from '../records.ts';
import type { Services } from '../services.ts';
import { runInSteps, type Steps } from '../steps.ts';
import { isDocumentId } from '../store/limits.ts';
import { truncate } from '../text.ts';
import { isReadable } from '../store/store.ts';
import { type Envelope, readJsonData } from '../message/envelope.ts';
import { identifyJobInSteps, jobRules } from '../message/job-message.ts';
import type { Job } from '../model/job.ts';
import type { Issue } from '../model/rejected-message.ts';
import { rejectMessage } from '../message/rejection.ts';

/**
 * Handles a message on the dead-letter topic. There are three kinds: dead letters, which Pub/Sub forwards after the last
 * delivery attempt; originals of messages that a function has rejected and recorded (`rejectMessage` publishes them with
 * `rejectedMessageId`); and messages that an operator published there. The bytes stay in the topic's other subscription,
 * which `replay.ts` reads.
 */

const SOURCE = 'recordDeadLetter';

export type DeadLetterOutcome =
  /** Recorded by the function that rejected it. */
  | { readonly outcome: 'KNOWN'; readonly messageId: string }
  /** Its job has a record, which now mentions the dead letter. */
  | { readonly outcome: 'NOTED'; readonly recordId: string }
  | { readonly outcome: 'RECORDED'; readonly messageId: string };

/**
 * Records a dead letter: on the record of its job if there is one, otherwise as `rejectedMessages/{messageId}` (with its id on
 * the dead-letter topic, since Pub/Sub does not pass on the original one). Repeating it changes nothing.
 *
 * @throws what the store throws: the message is then redelivered
 */
export async function recordDeadLetter(
  services: Pick<Services, 'store' | 'publisher' | 'config' | 'policy' | 'clock' | 'log'>,
  envelope: Envelope,
): Promise<DeadLetterOutcome> {
  const { store, log } = services;
  const known = rejectedMessageIdIn(envelope.attributes);
  // Checked in the store, since any sender can set an attribute.
  if (known !== undefined && (await store.rejectedMessages.get(known)) !== undefined) {
    return { outcome: 'KNOWN', messageId: known };
  }
  const cause = causeOf(envelope);
  const { job, recordId, batchId, issues } = await runInSteps(readJob(services, envelope));
  const found = job && (await store.records.get(job.recordId));
  if (job && found && isReadable(found)) {
    const note = `dead letter ${envelope.messageId}: ${cause}`;
    await updateRecord(services, found, (record) => noted(record, note, services.clock.now()));
    log.warning('dead_letter.noted', { messageId: envelope.messageId, recordId: job.recordId });
    return { outcome: 'NOTED', recordId: job.recordId };
  }
  await rejectMessage(services, withAttempts(envelope), {
    reason: 'DEAD_LETTER',
    issues: [{ path: 'delivery', message: `${cause}; replay it when the cause is fixed` }, ...issues],
    source: SOURCE,
    recordId,
    batchId,
  });
  return { outcome: 'RECORDED', messageId: envelope.messageId };
}

/** The id under which the original's message was rejected, if it is one that a document can have. */
export function rejectedMessageIdIn(attributes: Readonly<Record<string, string>>): string | undefined {
  const id = attributes['rejectedMessageId'];
  return id !== undefined && isDocumentId(id) ? id : undefined;
}

function causeOf({ attributes }: Envelope): string {
  const subscription = attributes['CloudPubSubDeadLetterSourceSubscription'];
  const attempts = attributes['CloudPubSubDeadLetterSourceDeliveryCount'];
  return subscription === undefined
    ? 'was published directly to the dead-letter topic'
    : `was given up by subscription ${shown(subscription)} after ${shown(attempts ?? 'its last')} delivery attempts`;
}

/** For a record's history, which must stay small. Pub/Sub's names have at most 255 characters. */
const shown = (attribute: string): string => truncate(attribute, 255);

/** With the delivery attempts of the subscription that gave up, instead of our own. */
function withAttempts(envelope: Envelope): Envelope {
  const attempts = Number(envelope.attributes['CloudPubSubDeadLetterSourceDeliveryCount']);
  return {
    ...envelope,
    deliveryAttempt: Number.isSafeInteger(attempts) ? attempts : envelope.deliveryAttempt,
  };
}

interface LetterJob {
  readonly job?: Job;
  readonly recordId?: string | undefined;
  readonly batchId?: string | undefined;
  readonly issues: readonly Issue[];
}

/** Most dead letters are jobs. Any other is recorded without guessing what is wrong with it. */
function* readJob({ config }: Pick<Services, 'config'>, envelope: Envelope): Steps<LetterJob> {
  const data = readJsonData(envelope);
  if ('issues' in data) {
    return { issues: data.issues };
  }
  yield;
  const reading = yield* identifyJobInSteps(data.json, jobRules(config));
  const { recordId, batchId } = 'job' in reading ? reading.job : reading;
  return { ...('job' in reading ? { job: reading.job } : {}), recordId, batchId, issues: [] };
}

/** The record with another line in its history; undefined if it has that line already. */
function noted(record: ExportRecord, note: string, now: Date): ExportRecord | undefined {
  if (record.history.some((entry) => entry.note === note)) {
    return undefined;
  }
  const { history, revision, updatedAt } = carry(record, now, { state: record.state, note });
  return { ...record, history, revision, updatedAt };
}

import { carry } from '../record/transitions.ts';
import type { ExportRecord } from '../model/record.ts';
import { updateRecord } from '../records.ts';
import type { Services } from '../services.ts';
import { isDocumentId } from '../store/limits.ts';
import { truncate } from '../text.ts';
import { isReadable } from '../store/store.ts';
import { type Envelope, readJsonData } from '../message/envelope.ts';
import { jobRules, parseJobMessage } from '../message/job-message.ts';
import type { Job } from '../model/job.ts';
import type { Issue } from '../model/rejected-message.ts';
import { rejectMessage } from '../message/rejection.ts';

/**
 * What becomes of a message on the dead-letter topic. Three kinds come here: what Pub/Sub forwards after the last delivery
 * attempt, what a function has refused and recorded itself (`rejectMessage` gives it away with `rejectedMessageId`), and
 * what somebody published by hand. The bytes themselves stay in the topic's other subscription, which `replay.ts` reads.
 */

const SOURCE = 'recordDeadLetter';

export type DeadLetterOutcome =
  /** Recorded by the function that refused it. */
  | { readonly outcome: 'KNOWN'; readonly messageId: string }
  /** Its job is there: the message had done its part before it died. */
  | { readonly outcome: 'NOTED'; readonly recordId: string }
  | { readonly outcome: 'RECORDED'; readonly messageId: string };

/**
 * Writes down that a message died: on the record of its job where there is one, else as `rejectedMessages/{messageId}` (the
 * id that it has on the dead-letter topic: Pub/Sub does not pass on the first one). Repeating it changes nothing.
 *
 * @throws what the store rejects with: the message is then delivered again
 */
export async function recordDeadLetter(
  services: Pick<Services, 'store' | 'publisher' | 'config' | 'policy' | 'clock' | 'log'>,
  envelope: Envelope,
): Promise<DeadLetterOutcome> {
  const { store, log } = services;
  const known = rejectedMessageIdIn(envelope.attributes);
  // Asked for, not believed: anybody who may publish can set an attribute.
  if (known !== undefined && (await store.rejectedMessages.get(known)) !== undefined) {
    return { outcome: 'KNOWN', messageId: known };
  }
  const death = readDeath(envelope);
  const { job, recordId, batchId, issues } = readJob(services, envelope);
  const found = job && (await store.records.get(job.recordId));
  if (job && found && isReadable(found)) {
    const note = `dead letter ${envelope.messageId}: ${death}`;
    await updateRecord(services, found, (record) => noted(record, note, services.clock.now()));
    log.warning('dead_letter.noted', { messageId: envelope.messageId, recordId: job.recordId });
    return { outcome: 'NOTED', recordId: job.recordId };
  }
  await rejectMessage(services, withAttempts(envelope), {
    reason: 'DEAD_LETTER',
    issues: [{ path: 'delivery', message: `${death}; replay it when the cause is mended` }, ...issues],
    source: SOURCE,
    recordId,
    batchId,
  });
  return { outcome: 'RECORDED', messageId: envelope.messageId };
}

/** The id under which a dead message was recorded already, where it has one that a document can have. */
export function rejectedMessageIdIn(attributes: Readonly<Record<string, string>>): string | undefined {
  const id = attributes['rejectedMessageId'];
  return id !== undefined && isDocumentId(id) ? id : undefined;
}

function readDeath({ attributes }: Envelope): string {
  const subscription = attributes['CloudPubSubDeadLetterSourceSubscription'];
  const attempts = attributes['CloudPubSubDeadLetterSourceDeliveryCount'];
  return subscription === undefined
    ? 'was published to the dead-letter topic by hand'
    : `was given up by subscription ${shown(subscription)} after ${shown(attempts ?? 'its last')} delivery attempts`;
}

/** It goes into a record's history, which must stay small. Pub/Sub's names are at most 255 long. */
const shown = (attribute: string): string => truncate(attribute, 255);

/** The attempts that count are those of the subscription that gave up, not our own. */
function withAttempts(envelope: Envelope): Envelope {
  const attempts = Number(envelope.attributes['CloudPubSubDeadLetterSourceDeliveryCount']);
  return {
    ...envelope,
    deliveryAttempt: Number.isSafeInteger(attempts) ? attempts : envelope.deliveryAttempt,
  };
}

interface DeadJob {
  readonly job?: Job;
  readonly recordId?: string | undefined;
  readonly batchId?: string | undefined;
  readonly issues: readonly Issue[];
}

/** Most that die are jobs; anything else is recorded as what it is, without a guess at what is wrong with it. */
function readJob({ config }: Pick<Services, 'config'>, envelope: Envelope): DeadJob {
  const data = readJsonData(envelope);
  if ('issues' in data) {
    return { issues: data.issues };
  }
  const reading = parseJobMessage(data.json, jobRules(config));
  const { recordId, batchId } = 'job' in reading ? reading.job : reading;
  return { ...('job' in reading ? { job: reading.job } : {}), recordId, batchId, issues: [] };
}

/** The record with a line in its history; undefined where the line is there. */
function noted(record: ExportRecord, note: string, now: Date): ExportRecord | undefined {
  if (record.history.some((entry) => entry.note === note)) {
    return undefined;
  }
  const { history, revision, updatedAt } = carry(record, now, { state: record.state, note });
  return { ...record, history, revision, updatedAt };
}

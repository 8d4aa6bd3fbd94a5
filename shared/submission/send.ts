import { HOUR_MS, later } from '../clock.ts';
import { EarthEngineError, type Operation } from '../earth-engine/api.ts';
import { parseRequestId, requestIdInDescription, requestIdOf } from '../model/ids.ts';
import { withRequestId } from '../message/identity.ts';
import { type Moment, type Policy, policyOf } from '../record/policy.ts';
import { afterEmptySearch, afterRefusal, isProvenAbsent, mayGiveUpId } from '../record/proof.ts';
import { type ExportRecord, isUnsettled, type RecordError, type SubmittingRecord } from '../model/record.ts';
import {
  cancelUnsent,
  type Learned,
  nextGeneration,
  reject,
  type Wait,
  wait,
} from '../record/transitions.ts';
import { settle } from '../records.ts';
import type { Services } from '../services.ts';
import type { Stored } from '../store/store.ts';
import { isMarkerMissing } from './gate.ts';
import { noteOperation } from './note-operation.ts';
import { type Attempt, type Sending, trySending } from './claimed-send.ts';

/** Sending a claimed record's bytes, and recording what Earth Engine answered: steps 5 and 6 of the design. */

/** A burnt id is followed by a fresh one; several in a row mean that something else is wrong. */
const MAX_GENERATIONS_PER_CLAIM = 3;

/** What the sender heard, for whoever feeds the queue. */
export type Heard =
  | 'OPERATION'
  | 'QUEUE_FULL'
  | 'RATE_LIMITED'
  | 'OUTAGE'
  | 'PERMISSION'
  /** EE was not asked, since what must come first failed. */
  | 'NOT_ASKED'
  | 'OTHER';

export interface Sent {
  readonly stored: Stored<ExportRecord>;
  readonly heard: Heard;
}

/**
 * Sends a claimed record, or decides that it is not sent (any more), and writes what came of it. Every write is fenced by
 * the claim; an operation is recorded whoever holds it.
 *
 * @param claimed the record in SUBMITTING, as this process wrote it
 * @param request the bytes that are stored for it; absent where none are to be sent
 * @param sentUntil when it can last have been sent before this claim: a list that started later shows what came of that
 * @throws whatever the store rejects with: the lease then runs out and the poller goes on
 */
export async function send(
  sending: Sending,
  claimed: Stored<ExportRecord>,
  request: Uint8Array | undefined,
  sentUntil: Date = claimed.value.updatedAt,
): Promise<Sent> {
  const record = claimed.value;
  if (record.state !== 'SUBMITTING') {
    return { stored: claimed, heard: 'OTHER' };
  }
  const { config, clock } = sending;
  const timeout = later(clock.now(), config.submitTimeoutMs);
  const attempt: Attempt = {
    sending,
    policy: policyOf(config),
    token: record.claim.token,
    deadline: timeout < record.claim.leaseUntil ? timeout : record.claim.leaseUntil,
    stored: claimed,
    request: request ?? new Uint8Array(),
    learned: { sends: 0, unanswered: record.unanswered, searches: record.searches, firstSentAt: undefined },
    sentUntil,
  };
  if (record.cancelRequestedAt !== undefined || record.rejecting) {
    return holdBack(attempt, record);
  }
  const account = await serviceAccountOf(sending);
  if (account instanceof EarthEngineError) {
    return refused(attempt, account);
  }
  if (request === undefined || record.serviceAccount !== account) {
    return holdBack(attempt, { ...record, error: record.error ?? sentByAnother });
  }
  if (record.unanswered > 0 && mayGiveUp(attempt) && !(await giveUpId(attempt))) {
    return holdBack(attempt, record);
  }
  return sendUntilAnswered(attempt);
}

/** As whom we would send; or why that cannot be known now, and nothing be sent. */
export async function serviceAccountOf({
  earthEngine,
}: Pick<Services, 'earthEngine'>): Promise<string | undefined | EarthEngineError> {
  try {
    return await earthEngine.serviceAccount();
  } catch (error) {
    if (error instanceof EarthEngineError) {
      return error;
    }
    throw error;
  }
}

/** Nothing is sent any more; it ends as soon as no operation can exist, and until then the search goes on. */
function holdBack(attempt: Attempt, record: SubmittingRecord): Promise<Sent> {
  const error = record.error ?? cancelling;
  return putOff(attempt, { waitingFor: 'ADOPTION', error, rejecting: record.rejecting ?? false }, 'OTHER');
}

const cancelling: RecordError = {
  code: 1,
  status: 'CANCELLED',
  message:
    'Cancelled; a send without an answer may still have started an operation, which is being searched for.',
  retryable: true,
};

const sentByAnother: RecordError = {
  code: 409,
  status: 'SENT_BY_ANOTHER_ACCOUNT',
  message:
    'Another service account may have sent it. Earth Engine would not notice a second start, so its operation is ' +
    'searched for first.',
  retryable: true,
};

async function sendUntilAnswered(attempt: Attempt): Promise<Sent> {
  for (let generation = 1; ; generation += 1) {
    const answer = await trySending(attempt);
    if (!(answer instanceof EarthEngineError)) {
      return accepted(attempt, answer);
    }
    if (answer.kind !== 'ALREADY_STARTED') {
      return refused(attempt, answer);
    }
    const adopted = await adopt(attempt, answer);
    if (adopted) {
      return adopted;
    }
    const tired = generation >= MAX_GENERATIONS_PER_CLAIM;
    if (tired || !mayGiveUp(attempt) || !(await giveUpId(attempt))) {
      return putOff(attempt, { waitingFor: 'ADOPTION', error: errorOf(answer) }, 'OTHER');
    }
  }
}

async function accepted(attempt: Attempt, operation: Operation, note?: string): Promise<Sent> {
  const { sending, token, learned } = attempt;
  const { requestId, project, serviceAccount } = attempt.stored.value;
  const sender = { token, learned, serviceAccount };
  const found = { operation, requestId, sender, ...(note === undefined ? {} : { note }) };
  const { stored } = await noteOperation(sending, attempt.stored, found);
  await sending.gate.noteMarker(project, requestIdInDescription(operation.description ?? '') === requestId);
  return { stored, heard: 'OPERATION' };
}

/**
 * EE says that the id was used: the operation that did is searched for, in a list that started after whatever may have
 * made it. Of many burnt ids in one run, one list tells.
 */
async function adopt(attempt: Attempt, refusal: EarthEngineError): Promise<Sent | undefined> {
  const { sending, stored, deadline } = attempt;
  const { clock, listings, log } = sending;
  const { project } = stored.value;
  attempt.learned = { ...attempt.learned, searches: afterRefusal(attempt.learned.searches, clock.now()) };
  let listing;
  try {
    listing = await listings.since(project, attempt.sentUntil).complete(deadline);
  } catch (error) {
    if (!(error instanceof EarthEngineError)) {
      throw error;
    }
    log.warning('search.failed', { recordId: stored.id, project, reason: error.message });
  }
  if (!listing) {
    return putOff(attempt, { waitingFor: 'ADOPTION', error: errorOf(refusal), dueNow: true }, 'OTHER');
  }
  const found = listing.operations.get(stored.id)?.[0];
  if (found) {
    const sender = { token: attempt.token, learned: attempt.learned, serviceAccount: undefined };
    const adopted = { operation: found.operation, requestId: found.requestId, sender, note: 'adopted' };
    return { stored: (await noteOperation(sending, stored, adopted)).stored, heard: 'OPERATION' };
  }
  const search = { ...listing, markerMissing: await isMarkerMissing(sending, project) };
  attempt.learned = { ...attempt.learned, searches: afterEmptySearch(attempt.learned.searches, search) };
  return undefined;
}

const mayGiveUp = ({ learned, policy }: Attempt): boolean => mayGiveUpId(learned, policy);

/**
 * Writes the next generation with its bytes, before they are sent (rule 2); false where the claim was lost or the job
 * cancelled meanwhile: then nothing more is sent by this holder.
 */
async function giveUpId(attempt: Attempt): Promise<boolean> {
  const { sending, learned } = attempt;
  const { recordId, generation } = parseRequestId(attempt.stored.value.requestId) ?? {
    recordId: attempt.stored.id,
    generation: 1,
  };
  const requestId = requestIdOf(recordId, generation + 1);
  const { bytes, description } = withRequestId(attempt.request, requestId);
  const decide = asHolder(attempt, (record) =>
    record.cancelRequestedAt === undefined
      ? nextGeneration(record, learned, { requestId, description }, sending.clock.now())
      : undefined,
  );
  const { stored, written } = await settle(sending, attempt.stored, decide, bytes);
  attempt.stored = stored;
  if (written) {
    attempt.request = bytes;
    attempt.learned = { sends: 0, unanswered: 0, searches: undefined, firstSentAt: undefined };
  }
  return written;
}

async function refused(attempt: Attempt, answer: EarthEngineError): Promise<Sent> {
  const { sending, policy, stored } = attempt;
  const { project } = stored.value;
  const error = errorOf(answer);
  const now = sending.clock.now();
  const { retryAfterMs } = answer;
  switch (answer.kind) {
    case 'QUEUE_FULL':
      await sending.gate.close(project, 'QUEUE', retryAfterMs);
      return putOff(attempt, { waitingFor: 'QUEUE', error, retryAfterMs }, 'QUEUE_FULL');
    case 'RATE_LIMITED':
      await sending.gate.close(project, 'RATE', retryAfterMs);
      return putOff(attempt, { waitingFor: 'RATE', error, retryAfterMs }, 'RATE_LIMITED');
    case 'UNANSWERED':
    case 'NOT_SENT': {
      const dueNow = sending.stopping.aborted;
      const how = { waitingFor: 'SERVICE', error, retryAfterMs, dueNow } as const;
      return putOff(attempt, withDeadline(stored.value, how, policy, now), 'OUTAGE');
    }
    case 'PERMISSION':
      return putOff(
        attempt,
        withDeadline(stored.value, { waitingFor: 'PERMISSION', error }, policy, now),
        'PERMISSION',
      );
    case 'ALREADY_STARTED':
    case 'NOT_FOUND':
    case 'REFUSED':
      return putOff(attempt, { waitingFor: 'ADOPTION', error, rejecting: true }, 'OTHER');
  }
}

/** An outage or a missing permission that has lasted too long rejects the job (SUBMIT_DEADLINE_HOURS). */
export function withDeadline(record: ExportRecord, how: Wait, policy: Policy, now: Date): Wait {
  const since = isUnsettled(record) ? record.outageSince : undefined;
  if (since === undefined || now.getTime() - since.getTime() < policy.submitDeadlineMs) {
    return how;
  }
  const hours = Math.round(policy.submitDeadlineMs / HOUR_MS);
  const message = `Earth Engine could not take it for ${hours} hours. Its last answer: ${how.error.message}`;
  return { ...how, error: { ...how.error, status: 'SUBMIT_DEADLINE', message }, rejecting: true };
}

/**
 * Gives the claim back with what is to happen next; ends the record instead where it is to be rejected or was cancelled,
 * and no operation can exist.
 */
async function putOff(attempt: Attempt, how: Wait, heard: Heard): Promise<Sent> {
  const { sending, policy, learned } = attempt;
  const { clock, random } = sending;
  const moment = { now: clock.now(), random: random() };
  const decide = asHolder(attempt, (record) => giveBack(record, learned, how, policy, moment));
  const { stored } = await settle(sending, attempt.stored, decide);
  return { stored, heard };
}

/** What becomes of a claim whose holder sends no more. */
export function giveBack(
  record: SubmittingRecord,
  learned: Learned,
  how: Wait,
  policy: Policy,
  moment: Moment,
): ExportRecord {
  const absent = isProvenAbsent(learned, policy);
  if (absent && record.cancelRequestedAt !== undefined) {
    const submissions = record.submissions + learned.sends;
    return cancelUnsent({ ...record, submissions }, policy, moment.now);
  }
  return absent && how.rejecting
    ? reject(record, learned, how.error, policy, moment.now)
    : wait(record, learned, how, policy, moment);
}

/** A decision that only the holder of the claim may write (rule 1). */
const asHolder =
  ({ token }: Attempt, decide: (record: SubmittingRecord) => ExportRecord | undefined) =>
  (record: ExportRecord): ExportRecord | undefined =>
    record.state === 'SUBMITTING' && record.claim.token === token ? decide(record) : undefined;

export function errorOf(error: EarthEngineError): RecordError {
  return {
    code: error.httpStatus,
    status: error.status,
    message: error.reply || error.message,
    retryable: error.kind !== 'REFUSED',
  };
}

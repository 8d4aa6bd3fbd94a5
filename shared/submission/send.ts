import { later } from '../clock.ts';
import { EarthEngineError, type Operation } from '../earth-engine/api.ts';
import { adviceOn } from '../earth-engine/refusal-advice.ts';
import { withRequestId } from '../message/identity.ts';
import { parseRequestId, requestIdInDescription, requestIdOf } from '../model/ids.ts';
import type { ExportRecord, RecordError, SubmittingRecord } from '../model/record.ts';
import { giveBack, withDeadline } from '../record/give-back.ts';
import { afterEmptySearch, afterRefusal, mayGiveUpId } from '../record/proof.ts';
import { findingsOf, nextGeneration, type Wait } from '../record/transitions.ts';
import { updateRecord } from '../records.ts';
import type { Services } from '../services.ts';
import type { Stored } from '../store/store.ts';
import { type ClaimedSend, postUntilAnswered, type SendContext } from './claimed-send.ts';
import { emptySearch } from './empty-search.ts';
import { marked } from './listing.ts';
import { type SearchResult, withMarkerOf } from './listings.ts';
import { noteOperation } from './note-operation.ts';

/** Sending a claimed record's bytes, and recording what Earth Engine answered: steps 5 and 6 of the design. */

/** If Earth Engine refuses several new ids in a row, something else is wrong. */
const MAX_GENERATIONS_PER_CLAIM = 3;

/** The outcome of a send, by which the poller decides what else to send. */
export type SendOutcome =
  | 'OPERATION'
  | 'QUEUE_FULL'
  /** Refused for the rate, and the gate is closed. */
  | 'RATE_LIMITED'
  /** Refused for the rate. The gate is open, and calls are sent more slowly. */
  | 'SLOWED'
  | 'OUTAGE'
  | 'PERMISSION'
  /** Nothing was sent, because an earlier step failed. */
  | 'NOT_SENT'
  | 'OTHER';

export interface Sent {
  readonly stored: Stored<ExportRecord>;
  readonly sendOutcome: SendOutcome;
}

/**
 * Sends a claimed record and writes the outcome. Every write is fenced by the claim, except that an operation is
 * recorded even if another process holds the claim.
 *
 * @param claimed the record in SUBMITTING, as this process wrote it; not one that `isHeldBack`
 * @param request the bytes that are stored for it
 * @throws whatever the store rejects with: the lease then runs out and the poller continues
 */
export async function send(
  context: SendContext,
  claimed: Stored<ExportRecord>,
  request: Uint8Array,
): Promise<Sent> {
  const record = claimed.value;
  if (record.state !== 'SUBMITTING') {
    return { stored: claimed, sendOutcome: 'OTHER' };
  }
  const { config, clock, policy } = context;
  const { token, leaseUntil } = record.claim;
  const timeout = later(clock.now(), config.submitTimeoutMs);
  const deadline = timeout < leaseUntil ? timeout : leaseUntil;
  const findings = findingsOf(record);
  const claim = { context, policy, token, deadline, stored: claimed, request, findings };
  if (record.unanswered > 0 && mayGiveUp(claim) && !(await giveUpId(claim))) {
    return putOff(claim, heldBack(record, cancelling), 'OTHER');
  }
  return sendUntilAnswered(claim);
}

/** Gives back the claim of a record that `isHeldBack`: it waits, or ends if no operation can exist. */
export async function holdBack(context: SendContext, claimed: Stored<ExportRecord>): Promise<Sent> {
  const record = claimed.value;
  if (record.state !== 'SUBMITTING') {
    return { stored: claimed, sendOutcome: 'OTHER' };
  }
  const { policy } = context;
  const claim = { context, policy, token: record.claim.token, stored: claimed, findings: findingsOf(record) };
  const reason = record.cancelRequestedAt === undefined ? sentByAnotherAccount : cancelling;
  return putOff(claim, heldBack(record, reason), 'OTHER');
}

const heldBack = ({ error, rejecting = false }: SubmittingRecord, reason: RecordError): Wait => ({
  waitingFor: 'ADOPTION',
  error: error ?? reason,
  rejecting,
});

/** The account that would send; or the error if it is unknown now, and so nothing may be sent. */
export async function serviceAccountOf(services: Services): Promise<string | undefined | EarthEngineError> {
  try {
    return await services.earthEngine.serviceAccount();
  } catch (error) {
    if (error instanceof EarthEngineError) {
      return error;
    }
    throw error;
  }
}

const cancelling: RecordError = {
  code: 1,
  status: 'CANCELLED',
  message: 'Canceled. An unanswered send may have started an operation; searching for it.',
  retryable: true,
};

const sentByAnotherAccount: RecordError = {
  code: 409,
  status: 'SENT_BY_ANOTHER_ACCOUNT',
  message:
    'Another service account may have sent it. Earth Engine would not recognize a second request as a duplicate; ' +
    'searching for its operation first.',
  retryable: true,
};

type HeldClaim = Pick<ClaimedSend, 'context' | 'policy' | 'token' | 'stored' | 'findings'>;

async function sendUntilAnswered(claim: ClaimedSend): Promise<Sent> {
  for (let generation = 1; ; generation += 1) {
    const answer = await postUntilAnswered(claim);
    if (!(answer instanceof EarthEngineError)) {
      return accepted(claim, answer);
    }
    if (answer.kind !== 'ALREADY_STARTED') {
      return refused(claim, answer);
    }
    const adopted = await adopt(claim, answer);
    if (adopted) {
      return adopted;
    }
    const isLast = generation >= MAX_GENERATIONS_PER_CLAIM;
    if (isLast || !mayGiveUp(claim) || !(await giveUpId(claim))) {
      return putOff(claim, { waitingFor: 'ADOPTION', error: errorOf(answer) }, 'OTHER');
    }
  }
}

async function accepted(claim: ClaimedSend, operation: Operation, note?: string): Promise<Sent> {
  const { context, token, findings } = claim;
  const { requestId, project, serviceAccount } = claim.stored.value;
  const sender = { token, findings, serviceAccount };
  const found = { operation, requestId, sender, ...(note === undefined ? {} : { note }) };
  const { stored } = await noteOperation(context, claim.stored, found);
  const echoed = requestIdInDescription(operation.description ?? '') === requestId;
  await context.gate.noteMarker(project, operation.name, echoed);
  return { stored, sendOutcome: 'OPERATION' };
}

/**
 * Earth Engine refused the id as used: searches for the operation that used it, in a list that started after any send
 * that may have started it. One list serves many such ids in a run.
 */
async function adopt(claim: ClaimedSend, refusal: EarthEngineError): Promise<Sent | undefined> {
  const { context, stored, deadline } = claim;
  const { clock, listings, log } = context;
  const { project } = stored.value;
  claim.findings = { ...claim.findings, searches: afterRefusal(claim.findings.searches, clock.now()) };
  let search: SearchResult = 'UNFINISHED';
  try {
    search = await listings.search(project, claim.findings.sentUntil, withMarkerOf(stored.id), deadline);
  } catch (error) {
    if (!(error instanceof EarthEngineError)) {
      throw error;
    }
    log.warning('search.failed', { recordId: stored.id, project, reason: error.message });
  }
  if (search === 'UNFINISHED') {
    return putOff(claim, { waitingFor: 'ADOPTION', error: errorOf(refusal), dueNow: true }, 'OTHER');
  }
  if ('found' in search) {
    const { operation } = search.found;
    const { requestId } = marked(operation) ?? stored.value;
    const sender = { token: claim.token, findings: claim.findings, serviceAccount: undefined };
    const adopted = { operation, requestId, sender, note: 'adopted' };
    return { stored: (await noteOperation(context, stored, adopted)).stored, sendOutcome: 'OPERATION' };
  }
  const empty = await emptySearch(context, stored.value, search.none);
  claim.findings = { ...claim.findings, searches: afterEmptySearch(claim.findings.searches, empty) };
  return undefined;
}

const mayGiveUp = ({ findings, policy }: ClaimedSend): boolean => mayGiveUpId(findings, policy);

/**
 * Writes the next generation with its bytes, before they are sent (rule 2); false if the claim was lost or the job was
 * canceled meanwhile: then this holder sends nothing more.
 */
async function giveUpId(claim: ClaimedSend): Promise<boolean> {
  const { context, findings } = claim;
  const { recordId, generation } = parseRequestId(claim.stored.value.requestId) ?? {
    recordId: claim.stored.id,
    generation: 1,
  };
  const requestId = requestIdOf(recordId, generation + 1);
  const { bytes, description } = withRequestId(claim.request, requestId);
  const decide = asHolder(claim, (record) =>
    record.cancelRequestedAt === undefined
      ? nextGeneration(record, findings, { requestId, description }, context.clock.now())
      : undefined,
  );
  const { stored, written } = await updateRecord(context, claim.stored, decide, bytes);
  claim.stored = stored;
  if (written) {
    claim.request = bytes;
    const { sentUntil } = findings;
    claim.findings = { sends: 0, unanswered: 0, sentUntil, searches: undefined };
  }
  return written;
}

/** Earth Engine refused the request, or did not respond to it: the record waits, or is rejected. */
async function refused(claim: ClaimedSend, answer: EarthEngineError): Promise<Sent> {
  const { context, policy, stored } = claim;
  const { project } = stored.value;
  const advice = adviceOn(answer, claim.request);
  const error = { ...errorOf(answer), ...(advice === undefined ? {} : { advice }) };
  const now = context.clock.now();
  const { retryAfterMs } = answer;
  switch (answer.kind) {
    case 'QUEUE_FULL':
      await context.gate.close(project, 'QUEUE', retryAfterMs);
      return putOff(claim, { waitingFor: 'QUEUE', error, retryAfterMs }, 'QUEUE_FULL');
    case 'QUOTA_EXHAUSTED':
      await context.gate.close(project, 'QUOTA', undefined);
      return putOff(claim, { waitingFor: 'QUOTA', error }, 'QUEUE_FULL');
    case 'RATE_LIMITED': {
      const isClosed = await context.gate.refuseRate(project, retryAfterMs);
      const how = { waitingFor: 'RATE', error, retryAfterMs } as const;
      return putOff(claim, how, isClosed ? 'RATE_LIMITED' : 'SLOWED');
    }
    case 'UNANSWERED':
    case 'NOT_SENT': {
      const dueNow = context.stopping.aborted;
      const how = { waitingFor: 'SERVICE', error, retryAfterMs, dueNow } as const;
      return putOff(claim, withDeadline(stored.value, how, policy, now), 'OUTAGE');
    }
    case 'PERMISSION':
      return putOff(
        claim,
        withDeadline(stored.value, { waitingFor: 'PERMISSION', error }, policy, now),
        'PERMISSION',
      );
    case 'ALREADY_STARTED':
    case 'NOT_FOUND':
    case 'REFUSED':
      return putOff(claim, { waitingFor: 'ADOPTION', error, rejecting: true }, 'OTHER');
  }
}

/** Gives the claim back: the record waits, or ends if it is being rejected or canceled and no operation can exist. */
async function putOff(claim: HeldClaim, how: Wait, sendOutcome: SendOutcome): Promise<Sent> {
  const { context, policy, findings } = claim;
  const { clock, random } = context;
  const moment = { now: clock.now(), random: random() };
  const decide = asHolder(claim, (record) => giveBack(record, findings, how, policy, moment));
  const { stored } = await updateRecord(context, claim.stored, decide);
  return { stored, sendOutcome };
}

/** A decision that only the holder of the claim may write (rule 1). */
const asHolder =
  ({ token }: HeldClaim, decide: (record: SubmittingRecord) => ExportRecord | undefined) =>
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

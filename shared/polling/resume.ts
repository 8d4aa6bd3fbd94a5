import { EarthEngineError } from '../earth-engine/api.ts';
import { StaleWriteError, UnreadableError } from '../errors.ts';
import { lastSendEndedAt, mayHaveUnknownOperation } from '../record/proof.ts';
import {
  type ExportRecord,
  isInSubmission,
  type RecordError,
  type RecordInSubmission,
  type WaitingRecord,
} from '../model/record.ts';
import {
  claimAgain,
  isHeldBack,
  isUnsettledTooLong,
  sentByOtherAccount,
  type Wait,
} from '../record/transitions.ts';
import { replaceRecord } from '../records.ts';
import type { Stored } from '../store/store.ts';
import { emptySearch } from '../submission/empty-search.ts';
import { type CompleteListing, marked } from '../submission/listing.ts';
import { type SearchResult, withMarkerOf } from '../submission/listings.ts';
import { noteOperation } from '../submission/note-operation.ts';
import type { PollRun } from './poll-run.ts';
import { afterSearchWithoutSlot, putOffUnsent } from '../record/give-back.ts';
import { errorOf, holdBack, send, type Sent, serviceAccountOf } from '../submission/send.ts';

/**
 * Continues with a record that has no operation yet: its claim ran out, or it was waiting. The cases:
 *
 * - SUBMITTING, the lease is over: its holder died, or lost Firestore, before or after Earth Engine received the job.
 *   The operation is searched for. If it is not found, the same bytes are sent again, and Earth Engine returns the same
 *   operation or refuses the id.
 * - WAITING, every send was answered: Earth Engine could not accept it. It is sent.
 * - WAITING with an unanswered send: it is searched for first, then sent.
 * - WAITING, being canceled or rejected: it is searched for, and nothing is sent. It ends when absence is proven.
 * - Changed by another process since it was read: nothing is done.
 */
export async function resume(run: PollRun, stored: Stored<ExportRecord>): Promise<Sent> {
  const record = stored.value;
  if (!isInSubmission(record)) {
    return unchanged(stored);
  }
  const serviceAccount = await serviceAccountOf(run);
  if (serviceAccount instanceof EarthEngineError) {
    return waitOut(run, stored, record, serviceAccount);
  }
  const mustSearch = mayHaveUnknownOperation(record) || sentByOtherAccount(record, serviceAccount);
  const searched = mustSearch ? await searchFor(run, stored, record) : undefined;
  if (searched && 'sendOutcome' in searched) {
    return searched;
  }
  const { clock, newToken, policy } = run;
  const search = searched && (await emptySearch(run, record, searched.none));
  const by = { token: newToken(), serviceAccount, search };
  const claimed = claimAgain(record, by, policy, clock.now());
  const isHeld = isHeldBack(claimed, serviceAccount);
  // Read before the claim is written: damaged bytes must not leave another claim, which counts as an unanswered send.
  const request = isHeld ? undefined : await readRequest(run, stored);
  if (request instanceof UnreadableError) {
    return putOff(run, stored, record, { waitingFor: 'SERVICE', error: unreadable(request) }, 'OTHER');
  }
  const heldBy = isHeld ? undefined : await run.gate.budgets.holdOn(record);
  if (heldBy !== undefined) {
    return putOff(run, stored, record, { waitingFor: 'BUDGET', heldBy, error: overBudget(heldBy) }, 'OTHER');
  }
  try {
    const written = await replaceRecord(run, stored, claimed);
    return await (request ? send(run, written, request) : holdBack(run, written));
  } catch (error) {
    if (error instanceof StaleWriteError) {
      return unchanged(stored);
    }
    throw error;
  }
}

/**
 * Searches for the operation of a waiting record while there is no slot to send it: what the first search began must be
 * proven in time, however long Earth Engine's queue stays full (rule 7).
 */
export async function searchOnly(run: PollRun, stored: Stored<WaitingRecord>): Promise<Sent> {
  const record = stored.value;
  const searched = await searchFor(run, stored, record);
  if ('sendOutcome' in searched) {
    return searched;
  }
  const { clock, newToken, policy, random } = run;
  const search = await emptySearch(run, record, searched.none);
  const moment = { now: clock.now(), random: random() };
  return giveBack(run, stored, afterSearchWithoutSlot(record, search, newToken(), policy, moment), 'OTHER');
}

const unchanged = (stored: Stored<ExportRecord>): Sent => ({ stored, sendOutcome: 'OTHER' });

/**
 * Searches in a list that started after the last send. If there is none yet, or if it shows the operation, the record is
 * written, and nothing else is to be done in this run.
 */
async function searchFor(
  run: PollRun,
  stored: Stored<ExportRecord>,
  record: RecordInSubmission,
): Promise<{ readonly none: CompleteListing } | Sent> {
  const { listings, ends } = run;
  let searched: SearchResult;
  try {
    const since = lastSendEndedAt(record);
    searched = await listings.search(record.project, since, withMarkerOf(stored.id), ends.searches);
  } catch (error) {
    if (error instanceof EarthEngineError) {
      return waitOut(run, stored, record, error);
    }
    throw error;
  }
  if (searched === 'UNFINISHED') {
    return awaitSearch(run, stored, record);
  }
  if ('none' in searched) {
    return searched;
  }
  const { operation } = searched.found;
  const { requestId } = marked(operation) ?? record;
  const noted = await noteOperation(run, stored, { operation, requestId, note: 'adopted' });
  return { stored: noted.stored, sendOutcome: 'OPERATION' };
}

/** The list takes longer than the run. The record stays due, for the next run to go on; the time for a proof has begun. */
async function awaitSearch(
  run: PollRun,
  stored: Stored<ExportRecord>,
  record: RecordInSubmission,
): Promise<Sent> {
  const { clock, log, policy } = run;
  log.warning('search.unfinished', { recordId: stored.id, project: record.project });
  const isKnown = record.state === 'WAITING' && record.unsettledSince !== undefined;
  return isKnown && !isUnsettledTooLong(record, policy, clock.now())
    ? unchanged(stored)
    : putOff(run, stored, record, { waitingFor: 'ADOPTION', error: searching, dueNow: true }, 'OTHER');
}

const searching: RecordError = {
  code: 503,
  status: 'SEARCHING',
  message:
    'A send got no response and may have started an operation. The list of operations takes longer than one poll to ' +
    'read; the search goes on.',
  retryable: true,
};

/** The list or our own account is not available, so nothing may be sent either. */
async function waitOut(
  run: PollRun,
  stored: Stored<ExportRecord>,
  record: RecordInSubmission,
  failure: EarthEngineError,
): Promise<Sent> {
  const waitingFor = failure.kind === 'PERMISSION' ? 'PERMISSION' : 'SERVICE';
  return putOff(run, stored, record, { waitingFor, error: errorOf(failure) }, 'NOT_SENT');
}

async function readRequest(
  run: PollRun,
  { id }: Stored<ExportRecord>,
): Promise<Uint8Array | UnreadableError> {
  try {
    return await run.store.records.readRequest(id);
  } catch (error) {
    if (!(error instanceof UnreadableError)) {
      throw error;
    }
    run.summary.failed += 1;
    run.log.error('record.failed', error, { recordId: id });
    return error;
  }
}

/** An operator can restore the bytes until the deadline. A retry would need the same bytes. */
const unreadable = ({ message }: UnreadableError): RecordError => ({
  code: 500,
  status: 'REQUEST_UNREADABLE',
  message,
  retryable: false,
});

/** A budget holds it. If an operation exists after all, the sweep adopts it. */
const overBudget = (budgetId: string): RecordError => ({
  code: 429,
  status: 'BUDGET',
  message: `The budget ${budgetId} is used up.`,
  retryable: true,
});

async function putOff(
  run: PollRun,
  stored: Stored<ExportRecord>,
  record: RecordInSubmission,
  how: Wait,
  sendOutcome: 'NOT_SENT' | 'OTHER',
): Promise<Sent> {
  const { clock, newToken, policy, random } = run;
  const moment = { now: clock.now(), random: random() };
  return giveBack(run, stored, putOffUnsent(record, how, newToken(), policy, moment), sendOutcome);
}

/** Writes the record as it was given back, unless another process has changed it meanwhile. */
async function giveBack(
  run: PollRun,
  stored: Stored<ExportRecord>,
  next: ExportRecord,
  sendOutcome: 'NOT_SENT' | 'OTHER',
): Promise<Sent> {
  try {
    return { stored: await replaceRecord(run, stored, next), sendOutcome };
  } catch (error) {
    if (error instanceof StaleWriteError) {
      return unchanged(stored);
    }
    throw error;
  }
}

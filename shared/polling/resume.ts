import { EarthEngineError } from '../earth-engine/api.ts';
import { StaleWriteError, UnreadableError } from '../errors.ts';
import { lastSendEndedAt, mayHaveUnknownOperation } from '../record/proof.ts';
import {
  type ExportRecord,
  isInSubmission,
  type RecordError,
  type RecordInSubmission,
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
import { marked } from '../submission/listing.ts';
import { type SearchResult, withMarkerOf } from '../submission/listings.ts';
import { noteOperation } from '../submission/note-operation.ts';
import type { PollRun } from './poll-run.ts';
import { putOffUnsent } from '../record/give-back.ts';
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
  const searched = mustSearch ? await searchFor(run, stored.id, record) : undefined;
  if (searched instanceof EarthEngineError) {
    return waitOut(run, stored, record, searched);
  }
  if (searched === 'UNFINISHED') {
    return awaitSearch(run, stored, record);
  }
  if (searched && 'found' in searched) {
    const { operation } = searched.found;
    const { requestId } = marked(operation) ?? record;
    const noted = await noteOperation(run, stored, { operation, requestId, note: 'adopted' });
    return { stored: noted.stored, sendOutcome: 'OPERATION' };
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

const unchanged = (stored: Stored<ExportRecord>): Sent => ({ stored, sendOutcome: 'OTHER' });

/** A search in a list that started after the last send; or the reason why there is none. */
async function searchFor(
  { listings, ends }: PollRun,
  recordId: string,
  record: RecordInSubmission,
): Promise<SearchResult | EarthEngineError> {
  try {
    const since = lastSendEndedAt(record);
    return await listings.search(record.project, since, withMarkerOf(recordId), ends.searches);
  } catch (error) {
    if (error instanceof EarthEngineError) {
      return error;
    }
    throw error;
  }
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
  const next = putOffUnsent(record, how, newToken(), policy, moment);
  try {
    return { stored: await replaceRecord(run, stored, next), sendOutcome };
  } catch (error) {
    if (error instanceof StaleWriteError) {
      return unchanged(stored);
    }
    throw error;
  }
}

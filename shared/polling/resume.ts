import { EarthEngineError } from '../earth-engine/api.ts';
import { StaleWriteError } from '../errors.ts';
import { mayHaveUnknownOperation } from '../record/proof.ts';
import { type ExportRecord, isInSubmission, type RecordInSubmission } from '../model/record.ts';
import { claimAgain, isHeldBack, sentByOtherAccount, type Wait, wait } from '../record/transitions.ts';
import { replaceRecord } from '../records.ts';
import type { Stored } from '../store/store.ts';
import { isMarkerMissing } from '../submission/gate.ts';
import type { CompleteListing } from '../submission/listing.ts';
import { noteOperation } from '../submission/note-operation.ts';
import { type PollRun, readUntil } from './poll-run.ts';
import { giveBack, withDeadline } from '../record/give-back.ts';
import {
  errorOf,
  holdBack,
  send,
  type SendOutcome,
  type Sent,
  serviceAccountOf,
} from '../submission/send.ts';

/**
 * Moves a record on that has no operation yet: one whose claim ran out, or one that waited. What it may find:
 *
 * - SUBMITTING, the lease over: its holder died, or lost Firestore, before or after EE had the job. The operation is
 *   searched for; not found, the same bytes are sent again, and EE answers with the same operation or refuses the id.
 * - WAITING, every send answered: EE could not take it. It is sent.
 * - WAITING with an unanswered send: searched for first, then sent.
 * - WAITING, to be cancelled or rejected: searched for; nothing is sent. It ends when its absence is proven.
 * - moved on by somebody else since it was read: nothing is done.
 */
export async function resume(run: PollRun, stored: Stored<ExportRecord>): Promise<Sent> {
  const record = stored.value;
  if (!isInSubmission(record)) {
    return unchanged(stored);
  }
  const serviceAccount = await serviceAccountOf(run);
  if (serviceAccount instanceof EarthEngineError) {
    return waitToGoOn(run, stored, record, serviceAccount);
  }
  const mustSearch = mayHaveUnknownOperation(record) || sentByOtherAccount(record, serviceAccount);
  const listing = mustSearch ? await searchFor(run, record) : undefined;
  if (listing instanceof EarthEngineError) {
    return waitToGoOn(run, stored, record, listing);
  }
  if (listing === 'UNFINISHED') {
    // It stays due: the next run reads the list anew.
    run.log.warning('search.unfinished', { recordId: stored.id, project: record.project });
    return unchanged(stored);
  }
  const found = listing?.operations.get(stored.id)?.[0];
  if (found) {
    const { operation, requestId } = found;
    const noted = await noteOperation(run, stored, { operation, requestId, note: 'adopted' });
    return { stored: noted.stored, sendOutcome: 'OPERATION' };
  }
  const { clock, newToken, policy, store } = run;
  const search = listing && { ...listing, markerMissing: await isMarkerMissing(run, record.project) };
  const by = { token: newToken(), serviceAccount, search };
  const claimed = claimAgain(record, by, policy, clock.now());
  try {
    if (isHeldBack(claimed, serviceAccount)) {
      return await holdBack(run, await replaceRecord(run, stored, claimed));
    }
    // Read before the claim is written: damaged bytes fail here and leave a record that can be deferred, not another claim.
    const request = await store.records.readRequest(stored.id);
    return await send(run, await replaceRecord(run, stored, claimed), request, lastSendAt(record));
  } catch (error) {
    if (error instanceof StaleWriteError) {
      return unchanged(stored);
    }
    throw error;
  }
}

const unchanged = (
  stored: Stored<ExportRecord>,
): { stored: Stored<ExportRecord>; sendOutcome: SendOutcome } => ({
  stored,
  sendOutcome: 'OTHER',
});

/** When the last send can have been made: until its lease ended, or before it was put off. */
const lastSendAt = (record: RecordInSubmission): Date =>
  record.state === 'SUBMITTING' ? record.claim.leaseUntil : record.updatedAt;

/** A complete list that started after the last send; or why there is none. */
async function searchFor(
  run: PollRun,
  record: RecordInSubmission,
): Promise<CompleteListing | EarthEngineError | 'UNFINISHED'> {
  try {
    const listing = run.listings.since(record.project, lastSendAt(record));
    return (await listing.complete(readUntil(run, listing))) ?? 'UNFINISHED';
  } catch (error) {
    if (error instanceof EarthEngineError) {
      return error;
    }
    throw error;
  }
}

/**
 * EE lists nothing now, or we cannot say who we are, so nothing may be sent either. The record says so and waits as for any
 * outage, whose deadline counts from here; it is taken over and given back in one write.
 */
async function waitToGoOn(
  run: PollRun,
  stored: Stored<ExportRecord>,
  record: RecordInSubmission,
  failure: EarthEngineError,
): Promise<Sent> {
  const { clock, newToken, policy, random } = run;
  const now = clock.now();
  const { serviceAccount } = record;
  const claimed = claimAgain(record, { token: newToken(), serviceAccount, search: undefined }, policy, now);
  const { unanswered, searches } = claimed;
  const findings = { sends: 0, unanswered, searches, firstSentAt: undefined };
  const isDenied = failure.kind === 'PERMISSION';
  const waitingFor = isDenied ? 'PERMISSION' : 'SERVICE';
  // Why it is to be rejected is told in the end, and not what came up on the way.
  const how: Wait =
    record.rejecting && record.error
      ? { waitingFor, error: record.error, rejecting: true }
      : withDeadline(record, { waitingFor, error: errorOf(failure) }, policy, now);
  const moment = { now, random: random() };
  const next =
    unanswered === 0
      ? giveBack(claimed, findings, how, policy, moment)
      : wait(claimed, findings, how, policy, moment);
  try {
    return { stored: await replaceRecord(run, stored, next), sendOutcome: 'NOT_ASKED' };
  } catch (error) {
    if (error instanceof StaleWriteError) {
      return unchanged(stored);
    }
    throw error;
  }
}

import { EarthEngineError } from '../earth-engine-api.ts';
import { StaleWriteError } from '../errors.ts';
import { mayHaveUnknownOperation } from '../record/proof.ts';
import { policyOf } from '../record/policy.ts';
import { type ExportRecord, isUnsettled, type UnsettledRecord } from '../record/record.ts';
import { claimAgain, isAnothers, wait, type Wait } from '../record/transitions.ts';
import { write } from '../record/write.ts';
import type { Stored } from '../store/store.ts';
import type { CompleteListing } from './listing.ts';
import { noteOperation } from './operation-found.ts';
import { errorOf, type Heard, send, type Sent, withDeadline } from './send.ts';
import type { Sending } from './try-sending.ts';

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
export async function resume(sending: Sending, stored: Stored<ExportRecord>): Promise<Sent> {
  const record = stored.value;
  if (!isUnsettled(record)) {
    return unchanged(stored);
  }
  const serviceAccount = await sending.earthEngine.serviceAccount();
  const mustSearch = mayHaveUnknownOperation(record) || isAnothers(record, serviceAccount);
  const search = mustSearch ? await searchFor(sending, record) : undefined;
  if (search instanceof EarthEngineError) {
    return waitToSearch(sending, stored, record, search);
  }
  const found = search?.operations.get(stored.id)?.[0];
  if (found) {
    const { operation, requestId } = found;
    const noted = await noteOperation(sending, stored, { operation, requestId, note: 'adopted' });
    return { stored: noted.stored, heard: 'OPERATION' };
  }
  const { clock, config, newToken, store } = sending;
  const claimed = claimAgain(
    record,
    { token: newToken(), serviceAccount, search },
    policyOf(config),
    clock.now(),
  );
  try {
    const claim = await write(sending, stored, claimed);
    return await send(sending, claim, await store.records.readRequest(stored.id), lastSendAt(record));
  } catch (error) {
    if (error instanceof StaleWriteError) {
      return unchanged(stored);
    }
    throw error;
  }
}

const unchanged = (stored: Stored<ExportRecord>): { stored: Stored<ExportRecord>; heard: Heard } => ({
  stored,
  heard: 'OTHER',
});

/** When the last send can have been made: until its lease ended, or before it was put off. */
const lastSendAt = (record: UnsettledRecord): Date =>
  record.state === 'SUBMITTING' ? record.claim.leaseUntil : record.updatedAt;

/** A complete list that started after the last send; or why there is none. */
async function searchFor(
  sending: Sending,
  record: UnsettledRecord,
): Promise<CompleteListing | EarthEngineError> {
  try {
    const listing = await sending.listings.since(record.project, lastSendAt(record)).complete();
    if (listing === undefined) {
      throw new TypeError('a listing without a time limit is complete');
    }
    return listing;
  } catch (error) {
    if (error instanceof EarthEngineError) {
      return error;
    }
    throw error;
  }
}

/**
 * EE lists nothing now, so nothing may be sent either. The record says so and waits as for any outage, whose deadline
 * counts from here; it is taken over and given back in one write.
 */
async function waitToSearch(
  sending: Sending,
  stored: Stored<ExportRecord>,
  record: UnsettledRecord,
  failure: EarthEngineError,
): Promise<Sent> {
  const { clock, config, newToken, random } = sending;
  const policy = policyOf(config);
  const now = clock.now();
  const { serviceAccount } = record;
  const claimed = claimAgain(record, { token: newToken(), serviceAccount, search: undefined }, policy, now);
  const { unanswered, searches } = claimed;
  const isDenied = failure.kind === 'PERMISSION';
  const how: Wait = { waitingFor: isDenied ? 'PERMISSION' : 'SERVICE', error: errorOf(failure) };
  const next = wait(
    claimed,
    { sends: 0, unanswered, searches, firstSentAt: undefined },
    withDeadline(record, how, policy, now),
    policy,
    { now, random: random() },
  );
  try {
    return { stored: await write(sending, stored, next), heard: isDenied ? 'PERMISSION' : 'OUTAGE' };
  } catch (error) {
    if (error instanceof StaleWriteError) {
      return unchanged(stored);
    }
    throw error;
  }
}

import { StaleWriteError } from '../errors.ts';
import { mayHaveUnknownOperation } from '../record/proof.ts';
import { policyOf } from '../record/policy.ts';
import { type ExportRecord, isUnsettled, type UnsettledRecord } from '../record/record.ts';
import { claimAgain } from '../record/transitions.ts';
import { write } from '../record/write.ts';
import type { Stored } from '../store/store.ts';
import type { CompleteListing } from './listing.ts';
import { noteOperation } from './operation-found.ts';
import { type Heard, send, type Sending, type Sent } from './send.ts';

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
  const mustSearch = mayHaveUnknownOperation(record) || isOtherAccount(record, serviceAccount);
  const search = mustSearch ? await searchFor(sending, record) : undefined;
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
    return await send(sending, claim, await store.records.readRequest(stored.id));
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

/** What another account sent is not known to EE under this one: its sends count as unanswered (rule 11). */
const isOtherAccount = (record: UnsettledRecord, serviceAccount: string | undefined): boolean =>
  record.submissions > 0 && record.serviceAccount !== serviceAccount;

/** A complete list that started after the last send can have been made: until its lease ends, or when it was put off. */
async function searchFor(sending: Sending, record: UnsettledRecord): Promise<CompleteListing> {
  const lastSendAt = record.state === 'SUBMITTING' ? record.claim.leaseUntil : record.updatedAt;
  const listing = await sending.listings.since(record.project, lastSendAt).complete();
  if (listing === undefined) {
    throw new TypeError('a listing without a time limit is complete');
  }
  return listing;
}

import { MINUTE_MS } from '../clock.ts';
import type { ExportRecord, Searches, RecordInSubmission } from '../model/record.ts';
import { MAX_HISTORY } from './carry.ts';
import type { Policy } from './policy.ts';

/** A complete listing of a project, in which a record's marker was not found. */
export interface EmptySearch {
  readonly startedAt: Date;
  readonly endedAt: Date;
  /** The list may contain the record's operation without its marker: then finding nothing proves nothing (rule 5). */
  readonly inconclusive?: boolean;
}

/** What is known after one more complete search that found nothing; undefined if it was inconclusive. */
export function afterEmptySearch(searches: Searches | undefined, search: EmptySearch): Searches | undefined {
  if (search.inconclusive) {
    return undefined;
  }
  return searches === undefined
    ? { firstEndedAt: search.endedAt, lastStartedAt: search.startedAt }
    : { ...searches, lastStartedAt: search.startedAt };
}

/** What is known after Earth Engine refused the id as used. The first refusal after the first search counts. */
export function afterRefusal(searches: Searches | undefined, refusedAt: Date): Searches | undefined {
  return searches === undefined || searches.refusedAt !== undefined ? searches : { ...searches, refusedAt };
}

/**
 * Whether no operation can exist for any send so far (rule 7): each send was answered, or two complete searches found
 * nothing and the second started at least T after the first ended. An unanswered send in between drops `searches`,
 * which restarts the count.
 */
export function isProvenAbsent(
  record: Pick<RecordInSubmission, 'unanswered' | 'searches'>,
  policy: Policy,
): boolean {
  const { unanswered, searches } = record;
  return (
    unanswered === 0 ||
    (searches !== undefined &&
      searches.lastStartedAt.getTime() - searches.firstEndedAt.getTime() >= policy.absenceMs)
  );
}

/**
 * Whether the id that Earth Engine just refused may be given up for the next generation (rule 6), after an empty
 * search: at once if every send of it was answered (the id is used up); otherwise only if absence is proven and Earth
 * Engine refused the id between the two searches.
 */
export function mayGiveUpId(
  record: Pick<RecordInSubmission, 'unanswered' | 'searches'>,
  policy: Policy,
): boolean {
  const { unanswered, searches } = record;
  if (unanswered === 0) {
    return searches !== undefined;
  }
  return (
    isProvenAbsent(record, policy) &&
    searches?.refusedAt !== undefined &&
    searches.refusedAt.getTime() <= searches.lastStartedAt.getTime()
  );
}

/** How far Earth Engine's clock and ours may be apart. */
const CLOCK_SKEW_MS = MINUTE_MS;

/**
 * The earliest creation time that an operation of this record can have: nothing is sent before the first claim, and the
 * history keeps that unless it was cut.
 */
export function earliestOperationAt({ history, createdAt }: ExportRecord): Date {
  const firstClaim = history.length < MAX_HISTORY && history.find(({ state }) => state === 'SUBMITTING');
  return new Date((firstClaim ? firstClaim.at : createdAt).getTime() - CLOCK_SKEW_MS);
}

/**
 * When the last send ended that may have started an operation which the record does not have. An older version did not
 * store it, and it did not end after the record was written.
 */
export const lastSendEndedAt = (record: RecordInSubmission): Date =>
  record.state === 'SUBMITTING' ? record.claim.leaseUntil : (record.sentUntil ?? record.updatedAt);

/** The earliest start of the second search, which decides. */
export function secondSearchAt(searches: Searches, policy: Policy): Date {
  return new Date(searches.firstEndedAt.getTime() + policy.absenceMs);
}

/**
 * Whether an operation may exist that the record does not have: then it must be searched for before the next send (rule
 * 4). A claim that ran out has an unanswered send by definition.
 */
export function mayHaveUnknownOperation(record: ExportRecord): boolean {
  return record.state === 'SUBMITTING' || (record.state === 'WAITING' && record.unanswered > 0);
}

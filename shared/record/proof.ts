import type { ExportRecord, Searches, UnsettledRecord } from '../model/record.ts';
import type { Policy } from './policy.ts';

/** A complete listing of a project, in which a record's marker was not found. */
export interface EmptySearch {
  readonly startedAt: Date;
  readonly endedAt: Date;
  /** EE was seen not to echo the marker in this project: that nothing was found says nothing then (rule 5). */
  readonly markerMissing?: boolean;
}

/** What is known after one more complete search that found nothing; nothing where the marker could not have been found. */
export function afterEmptySearch(searches: Searches | undefined, search: EmptySearch): Searches | undefined {
  if (search.markerMissing) {
    return undefined;
  }
  return searches === undefined
    ? { firstEndedAt: search.endedAt, lastStartedAt: search.startedAt }
    : { ...searches, lastStartedAt: search.startedAt };
}

/** What is known after EE refused the id as used. The first refusal after the first search is the one that counts. */
export function afterRefusal(searches: Searches | undefined, refusedAt: Date): Searches | undefined {
  return searches === undefined || searches.refusedAt !== undefined ? searches : { ...searches, refusedAt };
}

/**
 * Whether no operation can exist for any send so far (rule 7): each was answered, or two complete searches found nothing,
 * the second started at least T after the first ended. A send that goes unanswered in between restarts the count, since
 * it drops `searches`.
 */
export function isProvenAbsent(
  record: Pick<UnsettledRecord, 'unanswered' | 'searches'>,
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
 * Whether the id that EE just refused may be given up for the next generation (rule 6), after a search that found none:
 * at once if every send of it was answered (it is burnt); otherwise only where absence is proven and EE refused it
 * between the two searches.
 */
export function mayGiveUpId(
  record: Pick<UnsettledRecord, 'unanswered' | 'searches'>,
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

/** When the second search that decides may start. */
export function secondSearchAt(searches: Searches, policy: Policy): Date {
  return new Date(searches.firstEndedAt.getTime() + policy.absenceMs);
}

/**
 * Whether an operation may exist that the record does not know: then it is searched for before anything is sent again
 * (rule 4). A claim that ran out has an unanswered send by definition.
 */
export function mayHaveUnknownOperation(record: ExportRecord): boolean {
  return record.state === 'SUBMITTING' || (record.state === 'WAITING' && record.unanswered > 0);
}

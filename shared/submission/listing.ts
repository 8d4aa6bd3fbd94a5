import { EarthEngineError, type Operation } from '../earth-engine/api.ts';
import { operationIdOf } from '../earth-engine/operation.ts';
import { parseRequestId, requestIdInDescription } from '../model/ids.ts';
import type { EmptySearch } from '../record/proof.ts';
import type { Services } from '../services.ts';

/** Reading a project's operations as a list, once for every reader. */

/** A page of 500 operations of 10,000 took over a second in the field. A slow page must not take the whole run. */
const PAGE_TIMEOUT_MS = 30_000;

/** One of our operations in a list: `description` ends with a requestId of ours. */
export interface MarkedOperation {
  readonly operation: Operation;
  readonly requestId: string;
  readonly recordId: string;
}

/** The operation as one of ours; undefined if it carries no marker or is another kind of task. */
export function marked(operation: Operation): MarkedOperation | undefined {
  if (operation.type !== undefined && operation.type !== 'EXPORT_VIDEO') {
    return undefined;
  }
  const requestId = operation.description && requestIdInDescription(operation.description);
  const parsed = requestId ? parseRequestId(requestId) : undefined;
  return requestId && parsed ? { operation, requestId, recordId: parsed.recordId } : undefined;
}

/** Earth Engine can omit any field, so it may be one of ours: only its creation time can show that it is not. */
const mayHideMarker = ({ type, description }: Operation): boolean =>
  !description && (type === undefined || type === 'EXPORT_VIDEO');

/** A complete list, and when reading it started and ended. */
export interface CompleteListing extends Pick<EmptySearch, 'startedAt' | 'endedAt'> {
  readonly pages: number;
  /** When the youngest operation was created that may hide a marker. -Infinity: there is none. Infinity: unknown. */
  readonly hidingMs: number;
  /** By record id. */
  readonly operations: ReadonlyMap<string, readonly MarkedOperation[]>;
  /** An operation in the list, marked or not. */
  named(operation: string): Operation | undefined;
}

/** A list that is read page by page, by a sweep that may stop early and by searches that may not. */
export interface Listing {
  readonly startedAt: Date;
  /** Marked operations of the next page; undefined at the end. */
  next(): Promise<readonly MarkedOperation[] | undefined>;
  /** An operation of the pages read so far, marked or not. */
  named(operation: string): Operation | undefined;
  /** Reads the rest; undefined if that takes longer than `until`. */
  complete(until?: Date): Promise<CompleteListing | undefined>;
}

function createListing(
  services: Pick<Services, 'earthEngine' | 'clock' | 'stopping'>,
  project: string,
): Listing {
  const { earthEngine, clock, stopping } = services;
  const startedAt = clock.now();
  const operations = new Map<string, MarkedOperation[]>();
  /** By the ID in their names: Earth Engine may name their project by id or by number. */
  const byId = new Map<string, Operation>();
  const tokens = new Set<string>();
  const pages: (readonly MarkedOperation[])[] = [];
  let hidingMs = -Infinity;
  let pageToken: string | undefined;
  let endedAt: Date | undefined;
  let reading: Promise<void> | undefined;

  const readPage = async (): Promise<void> => {
    const page = await earthEngine.listOperations(project, pageToken, {
      timeoutMs: PAGE_TIMEOUT_MS,
      signal: stopping,
    });
    if (page.nextPageToken !== undefined) {
      if (tokens.has(page.nextPageToken)) {
        throw unreadable(project, 'a page that leads back to an earlier one');
      }
      tokens.add(page.nextPageToken);
    }
    const ours: MarkedOperation[] = [];
    for (const operation of page.operations) {
      // Even without a marker: Earth Engine has been seen to omit a description.
      byId.set(operationIdOf(operation.name), operation);
      if (mayHideMarker(operation)) {
        hidingMs = Math.max(hidingMs, operation.createTime?.getTime() ?? Infinity);
      }
      const mark = marked(operation);
      if (mark) {
        ours.push(mark);
        const known = operations.get(mark.recordId);
        if (known) {
          known.push(mark);
        } else {
          operations.set(mark.recordId, [mark]);
        }
      }
    }
    pages.push(ours);
    pageToken = page.nextPageToken;
    if (!pageToken) {
      endedAt = clock.now();
    }
  };

  let given = 0;
  // Pages are read one after another, since each page has the token of the next. Concurrent callers share one call and
  // its failure: a project that does not answer takes the time of one call, not of one for each caller.
  const read = (): Promise<void> => {
    reading ??= readPage().finally(() => {
      reading = undefined;
    });
    return reading;
  };
  const named = (operation: string): Operation | undefined => byId.get(operationIdOf(operation));
  return {
    startedAt,
    named,
    next: async () => {
      if (given === pages.length && !endedAt) {
        await read();
      }
      const page = pages[given];
      given += 1;
      return page;
    },
    complete: async (until) => {
      for (;;) {
        if (endedAt) {
          break;
        }
        if (until && clock.now() >= until) {
          return undefined;
        }
        await read();
      }
      return { startedAt, endedAt, operations, hidingMs, pages: pages.length, named };
    },
  };
}

/** A list that may be incomplete proves nothing, so it counts as no answer. */
function unreadable(project: string, reply: string): EarthEngineError {
  const message = `The list of operations of ${project} has ${reply}. It will be read again later.`;
  return new EarthEngineError('UNANSWERED', { message, httpStatus: 502, status: 'UNKNOWN', reply });
}

/** An operation as Earth Engine reported it, and when the request was made. */
export interface ObservedOperation {
  readonly operation: Operation;
  readonly asOf: Date;
}

/** The listings of one run. Each serves the sweep and every search that it is recent enough for (rule 5). */
export interface Listings {
  /** A listing of the project that started at `since` or later: an existing one, or a new one. */
  since(project: string, since: Date): Listing;
  /** An operation as the latest listing showed it so far, if that listing started at `since` or later. */
  seen(project: string, operation: string, since: Date): ObservedOperation | undefined;
}

export function createListings(services: Pick<Services, 'earthEngine' | 'clock' | 'stopping'>): Listings {
  const latest = new Map<string, Listing>();
  return {
    since: (project, since) => {
      const known = latest.get(project);
      if (known && known.startedAt >= since) {
        return known;
      }
      const listing = createListing(services, project);
      latest.set(project, listing);
      return listing;
    },
    seen: (project, name, since) => {
      const listing = latest.get(project);
      const operation = listing?.named(name);
      return operation && listing && listing.startedAt >= since
        ? { operation, asOf: listing.startedAt }
        : undefined;
    },
  };
}

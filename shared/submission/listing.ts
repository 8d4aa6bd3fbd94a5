import { EarthEngineError, type Operation } from '../earth-engine/api.ts';
import { operationIdOf } from '../earth-engine/operation.ts';
import { parseRequestId, requestIdInDescription } from '../model/ids.ts';
import type { UnfinishedList } from '../model/project-status.ts';
import type { Services } from '../services.ts';

/** Reading a project's operations as a list. */

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

/**
 * A list that is read page by page: by a sweep, which may stop early, and by searches, which may not. If earlier runs read
 * its first pages, of these only what `EarlierPages` has is known.
 */
export interface Listing {
  readonly startedAt: Date;
  /** When its last page was read; undefined before that. */
  readonly endedAt: Date | undefined;
  /** The number of pages that were read, including those of earlier runs. */
  readonly pages: number;
  /** The next page; undefined before the first page and after the last one. */
  readonly pageToken: string | undefined;
  /** Earth Engine refused the page token, or the pages lead back to each other: it cannot be read to its end. */
  readonly isBroken: boolean;
  /** When the youngest operation was created that may hide a marker; undefined if there is none. */
  readonly hidingAt: Date | undefined;
  /** Marked operations, by record ID. */
  readonly operations: ReadonlyMap<string, readonly MarkedOperation[]>;
  /** All operations, marked or not, by ID. Earth Engine may name their project by ID or by number. */
  readonly byId: ReadonlyMap<string, Operation>;
  readonly earlier: EarlierPages | undefined;
  /** An operation, marked or not. */
  named(operation: string): Operation | undefined;
  /** Marked operations of the next page; undefined at the end. */
  next(): Promise<readonly MarkedOperation[] | undefined>;
  /** Reads on until `isFound`, the end, or `until`. */
  read(isFound: () => boolean, until?: Date): Promise<void>;
}

/** A list that was read to its end. */
export type CompleteListing = Listing & { readonly endedAt: Date };

export const isComplete = (listing: Listing): listing is CompleteListing => listing.endedAt !== undefined;

/** The pages that earlier runs read. */
export interface EarlierPages extends Pick<UnfinishedList, 'startedAt' | 'pages' | 'hidingAt' | 'shown'> {
  readonly pageToken: string;
  /** Whether they showed this operation, or an operation with the marker of this record. False positives are possible. */
  showed(id: string): boolean;
}

export function createListing(
  services: Pick<Services, 'earthEngine' | 'clock' | 'stopping'>,
  project: string,
  earlier?: EarlierPages,
): Listing {
  const { earthEngine, clock, stopping } = services;
  const startedAt = earlier?.startedAt ?? clock.now();
  const operations = new Map<string, MarkedOperation[]>();
  const byId = new Map<string, Operation>();
  const tokens = new Set<string>();
  const pages: (readonly MarkedOperation[])[] = [];
  let hidingAt = earlier?.hidingAt;
  let pageToken: string | undefined = earlier?.pageToken;
  let endedAt: Date | undefined;
  let isBroken = false;
  let reading: Promise<void> | undefined;

  const readPage = async (): Promise<void> => {
    const options = { timeoutMs: PAGE_TIMEOUT_MS, signal: stopping };
    const page = await earthEngine.listOperations(project, pageToken, options).catch((error: unknown) => {
      isBroken = error instanceof EarthEngineError && error.kind === 'REFUSED';
      throw error;
    });
    if (page.nextPageToken !== undefined) {
      if (tokens.has(page.nextPageToken)) {
        isBroken = true;
        throw unreadable(project, 'a page that leads back to an earlier one');
      }
      tokens.add(page.nextPageToken);
    }
    const ours: MarkedOperation[] = [];
    for (const operation of page.operations) {
      // Even without a marker: Earth Engine has been seen to omit a description.
      byId.set(operationIdOf(operation.name), operation);
      if (mayHideMarker(operation)) {
        // Of unknown age, it may be as young as this page.
        hidingAt = latest(hidingAt, operation.createTime ?? clock.now());
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
  const readNext = (): Promise<void> => {
    reading ??= readPage().finally(() => {
      reading = undefined;
    });
    return reading;
  };
  return {
    startedAt,
    get endedAt() {
      return endedAt;
    },
    get pages() {
      return (earlier?.pages ?? 0) + pages.length;
    },
    get pageToken() {
      return pageToken;
    },
    get isBroken() {
      return isBroken;
    },
    get hidingAt() {
      return hidingAt;
    },
    operations,
    byId,
    earlier,
    named: (operation) => byId.get(operationIdOf(operation)),
    next: async () => {
      if (given === pages.length && !endedAt) {
        await readNext();
      }
      const page = pages[given];
      given += 1;
      return page;
    },
    read: async (isFound, until) => {
      for (;;) {
        if (endedAt || isFound() || (until && clock.now() >= until)) {
          return;
        }
        await readNext();
      }
    },
  };
}

const latest = (one: Date | undefined, other: Date): Date => (one && one > other ? one : other);

/** A list that may be incomplete proves nothing, so it counts as no answer. */
function unreadable(project: string, reply: string): EarthEngineError {
  const message = `The list of operations of ${project} has ${reply}. It will be read again later.`;
  return new EarthEngineError('UNANSWERED', { message, httpStatus: 502, status: 'UNKNOWN', reply });
}

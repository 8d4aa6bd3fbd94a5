import { later } from '../clock.ts';
import type { Operation } from '../earth-engine/api.ts';
import { operationIdOf } from '../earth-engine/operation.ts';
import type { Services } from '../services.ts';
import { type CompleteListing, createListing, isComplete, type Listing } from './listing.ts';
import type { UnfinishedLists } from './unfinished-lists.ts';

/** The lists of one run. Each serves the sweep and every search that it is recent enough for (rule 5). */

/** An operation as Earth Engine reported it, and when the request was made. */
export interface ObservedOperation {
  readonly operation: Operation;
  readonly asOf: Date;
}

/** What a search looks for. */
export interface Wanted {
  /** The ID of a record, whose marker is looked for, or of an operation. */
  readonly id: string;
  readonly in: (listing: Listing) => Operation | undefined;
}

export const withMarkerOf = (recordId: string): Wanted => ({
  id: recordId,
  in: ({ operations }) => operations.get(recordId)?.[0]?.operation,
});

export const withName = (operation: string): Wanted => ({
  id: operationIdOf(operation),
  in: (listing) => listing.named(operation),
});

/** The operation, as soon as a page shows it; or a complete list without it. UNFINISHED if there was not enough time. */
export type SearchResult =
  | { readonly found: ObservedOperation }
  | { readonly none: CompleteListing }
  | 'UNFINISHED';

export interface Listings {
  /** A listing of the project that started at `since` or later: an existing one, or a new one. */
  since(project: string, since: Date): Listing;
  /** An operation as the latest listing showed it so far, if that listing started at `since` or later. */
  seen(project: string, operation: string, since: Date): ObservedOperation | undefined;
  /**
   * Searches a list that started at `since` or later. A list that was begun is read to its end before another one
   * begins, in this run or in later ones, even if it is too old for this search: if each search began its own, no long
   * list would end.
   */
  search(project: string, since: Date, wanted: Wanted, until: Date): Promise<SearchResult>;
  /** Stores how far the lists of searches were read, so that the next run reads on from there. Never rejects. */
  keepUnfinished(): Promise<void>;
}

/** @param unfinished the lists that earlier runs began; without it, each search begins with the first page */
export function createListings(
  services: Pick<Services, 'earthEngine' | 'clock' | 'stopping' | 'log'>,
  unfinished?: UnfinishedLists,
): Listings {
  const { clock, log } = services;
  const latest = new Map<string, Listing>();
  const searched = new Map<string, Listing>();
  const begun = new Map<string, Promise<void>>();

  const since: Listings['since'] = (project, time) => {
    const known = latest.get(project);
    if (known && known.startedAt >= time) {
      return known;
    }
    const listing = createListing(services, project);
    latest.set(project, listing);
    return listing;
  };

  const readEarlier = async (project: string): Promise<void> => {
    const earlier = await unfinished?.get(project);
    if (earlier) {
      searched.set(project, createListing(services, project, earlier));
    }
  };

  /** Begins with the list that an earlier run began. If that cannot be read now, it is read again for the next search. */
  const begin = (project: string): Promise<void> => {
    const beginning =
      begun.get(project) ??
      readEarlier(project).catch((error: unknown) => {
        begun.delete(project);
        throw error;
      });
    begun.set(project, beginning);
    return beginning;
  };

  const forSearch = (project: string, time: Date): Listing => {
    const current = searched.get(project);
    if (current && !current.isBroken && (!isComplete(current) || current.startedAt >= time)) {
      return current;
    }
    const listing = since(project, time);
    searched.set(project, listing);
    return listing;
  };

  return {
    since,
    seen: (project, name, time) => {
      const listing = latest.get(project);
      const operation = listing?.named(name);
      return operation && listing && listing.startedAt >= time
        ? { operation, asOf: listing.startedAt }
        : undefined;
    },
    search: async (project, time, wanted, until) => {
      await begin(project);
      const now = clock.now();
      // By the clock of another process, `time` may be ahead of ours. A list that starts now is late enough.
      let needed = time < now ? time : now;
      for (;;) {
        const listing = forSearch(project, needed);
        const found = () => wanted.in(listing);
        try {
          await listing.read(() => found() !== undefined, until);
        } catch (error) {
          if (!listing.isBroken || !listing.earlier) {
            throw error;
          }
        }
        const operation = found();
        if (operation) {
          return { found: { operation, asOf: listing.startedAt } };
        }
        if (!isComplete(listing) && !listing.isBroken) {
          return 'UNFINISHED';
        }
        if (isComplete(listing) && listing.startedAt >= needed && !listing.earlier?.showed(wanted.id)) {
          return { none: listing };
        }
        // An earlier run read its page: only another list shows the operation as it is now.
        needed = new Date(Math.max(needed.getTime(), later(listing.startedAt, 1).getTime()));
      }
    },
    keepUnfinished: async () => {
      for (const [project, listing] of searched) {
        await unfinished?.keep(project, listing).catch((error: unknown) => {
          // The next run begins this list again, which does no harm. The lists of other projects are still stored.
          log.error('search.not_kept', error, { project });
        });
      }
    },
  };
}

import { hash } from 'node:crypto';

import { HOUR_MS, later } from '../clock.ts';
import { StaleWriteError } from '../errors.ts';
import type { UnfinishedList } from '../model/project-status.ts';
import type { Services } from '../services.ts';
import { type Found, isReadable, toReplace } from '../store/store.ts';
import { noteMarkers } from './empty-search.ts';
import type { EarlierPages, Listing } from './listing.ts';

/**
 * Lists that take longer than a run. What their pages showed is stored as four bytes for each operation and each marker:
 * a list of 100,000 operations takes 400 to 800 KB. If two IDs have the same four bytes, a search is repeated in a new
 * list. There they differ, since the bytes depend on the list.
 */
export interface UnfinishedLists {
  /** The project's list, if a run stopped within it. */
  get(project: string): Promise<EarlierPages | undefined>;
  /** Stores how far it was read. If another run has stored its own progress meanwhile, that counts. */
  keep(project: string, listing: Listing): Promise<void>;
}

const KEY_BYTES = 4;
/** Firestore's documents have at most 1 MiB. */
const MAX_SHOWN_BYTES = 900_000;

/**
 * A list that no run has read for so long begins again. Earth Engine does not document how long a page token is valid, and
 * an expired one might return an empty page, which would look like the end of the list.
 */
const MAX_PAUSE_MS = HOUR_MS;

export function createUnfinishedLists(services: Pick<Services, 'store' | 'clock' | 'log'>): UnfinishedLists {
  const { store, clock, log } = services;
  const stored = new Map<string, Found<UnfinishedList>>();

  const write = async (project: string, next: UnfinishedList): Promise<void> => {
    const last = stored.get(project);
    try {
      const written = last
        ? { created: await store.lists.replace(toReplace(last), next) }
        : await store.lists.create(project, next);
      if ('created' in written) {
        stored.set(project, written.created);
      }
    } catch (error) {
      // Another run has stored its own progress since this one read the list.
      if (!(error instanceof StaleWriteError)) {
        throw error;
      }
    }
  };

  return {
    get: async (project) => {
      const found = await store.lists.get(project);
      if (found) {
        stored.set(project, found);
      }
      return found && isReadable(found) ? earlierPages(found.value, clock.now()) : undefined;
    },
    keep: async (project, listing) => {
      const found = stored.get(project);
      const last = found && isReadable(found) ? found.value : undefined;
      const now = clock.now();
      const next = unfinished(listing, now);
      if (next && next.shown.length > MAX_SHOWN_BYTES) {
        log.warning('search.too_long', { project, pages: next.pages });
      }
      const isUseful = next !== undefined && next.shown.length <= MAX_SHOWN_BYTES;
      const isNew = isUseful
        ? last?.startedAt.getTime() !== next.startedAt.getTime() || last.pages !== next.pages
        : last?.pageToken !== undefined;
      if (!isNew) {
        return;
      }
      if (isUseful) {
        // The next run does not see these pages.
        await noteMarkers(services, project, listing);
      }
      await write(project, isUseful ? next : finished(listing, now));
    },
  };
}

function earlierPages(list: UnfinishedList, now: Date): EarlierPages | undefined {
  const { pageToken, startedAt, updatedAt, shown } = list;
  if (pageToken === undefined || now >= later(updatedAt, MAX_PAUSE_MS)) {
    return undefined;
  }
  let keys: Set<number> | undefined;
  return {
    ...list,
    pageToken,
    showed: (id) => {
      keys ??= unpack(shown);
      return keys.has(keyOf(startedAt, id));
    },
  };
}

/** What to store about a list; undefined if nothing of it is left to read. */
function unfinished(listing: Listing, now: Date): UnfinishedList | undefined {
  const { startedAt, pageToken, pages, hidingAt, operations, byId, earlier, isBroken } = listing;
  if (pageToken === undefined || isBroken) {
    return undefined;
  }
  const ids = [...operations.keys(), ...byId.keys()];
  const shown = pack(ids.map((id) => keyOf(startedAt, id)));
  return {
    startedAt,
    pageToken,
    pages,
    hidingAt,
    shown: earlier ? Buffer.concat([earlier.shown, shown]) : shown,
    updatedAt: now,
  };
}

const finished = ({ startedAt, pages }: Listing, now: Date): UnfinishedList => ({
  startedAt,
  pages,
  shown: new Uint8Array(),
  updatedAt: now,
});

const keyOf = (startedAt: Date, id: string): number =>
  hash('sha256', `${startedAt.getTime()} ${id}`, 'buffer').readUInt32BE(0);

function pack(keys: readonly number[]): Uint8Array<ArrayBuffer> {
  const bytes = Buffer.alloc(keys.length * KEY_BYTES);
  for (const [index, key] of keys.entries()) {
    bytes.writeUInt32BE(key, index * KEY_BYTES);
  }
  return bytes;
}

function unpack(packed: Uint8Array): Set<number> {
  const bytes = Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength);
  const keys = new Set<number>();
  for (let offset = 0; offset + KEY_BYTES <= bytes.length; offset += KEY_BYTES) {
    keys.add(bytes.readUInt32BE(offset));
  }
  return keys;
}

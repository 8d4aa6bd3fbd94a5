import { type Clock, SECOND_MS } from '../../shared/clock.ts';
import type { Log } from '../../shared/log.ts';
import type { ExportRecord } from '../../shared/model/record.ts';
import { rejectedMessageListQueries } from '../../shared/store/list-queries.ts';
import { pageBatchQueries, pageProjectQueries, pageQueries } from '../../shared/store/page-queries.ts';
import type { Query } from '../../shared/store/queries.ts';
import type { Documents, Found, Store } from '../../shared/store/store.ts';
import { rowOf } from '../views/row.ts';
import type { Row } from '../views/view.ts';

/** What changed in the last moment. */
export interface Change {
  /** Raised by every change. A view says which version it contains. */
  readonly version: number;
  readonly rows: readonly Row[];
  readonly batches: readonly string[];
  /** More changed than is listed: everything must be read again. */
  readonly incomplete: boolean;
}

/**
 * What changes in Firestore, for every open page of this instance: one set of listeners, however many pages are open, and none
 * while there is no page. Its cost is one read for each changed document.
 */
export interface Live {
  readonly version: number;
  /** Whether every change raises `version`. */
  readonly isListening: boolean;
  readonly subscribers: number;
  subscribe(listener: (change: Change) => void): () => void;
  close(): void;
}

/** Changes within this time are reported together. */
const COALESCE_MS = 200;
/** A page that is loaded again does not start the listeners anew. */
const LINGER_MS = 30 * SECOND_MS;
const RESTART_MS = 5 * SECOND_MS;

export function createLive(store: Store, clock: Clock, log: Log): Live {
  const subscribers = new Set<(change: Change) => void>();
  const closed = new AbortController();
  let version = 1;
  let listeners: Listeners | undefined;
  let pending: Changed | undefined;

  /** A wait ends without its work when the page is closed. */
  const later = async (ms: number, work: () => void): Promise<void> => {
    const isOver = await clock.sleep(ms, closed.signal).then(
      () => true,
      () => false,
    );
    if (isOver) {
      work();
    }
  };

  const report = (): void => {
    const { rows, batches, incomplete } = pending ?? nothingChanged();
    pending = undefined;
    version += 1;
    const change: Change = { version, rows: [...rows.values()], batches: [...batches], incomplete };
    for (const subscriber of subscribers) {
      subscriber(change);
    }
  };

  const listen = (): void => {
    listeners = startListeners(store, {
      changed: (note) => {
        if (!pending) {
          pending = nothingChanged();
          void later(COALESCE_MS, report);
        }
        note(pending);
      },
      failed: (error) => {
        log.error('page.listen_failed', error);
        unlisten();
        void later(RESTART_MS, () => {
          if (!listeners && subscribers.size > 0) {
            listen();
          }
        });
      },
    });
  };

  const unlisten = (): void => {
    listeners?.stop();
    listeners = undefined;
  };

  return {
    get version() {
      return version;
    },
    get isListening() {
      return listeners?.areReady() ?? false;
    },
    get subscribers() {
      return subscribers.size;
    },
    subscribe(listener) {
      subscribers.add(listener);
      if (!listeners) {
        listen();
      }
      return () => {
        subscribers.delete(listener);
        void later(LINGER_MS, () => {
          if (subscribers.size === 0) {
            unlisten();
          }
        });
      };
    },
    close() {
      closed.abort();
      unlisten();
      subscribers.clear();
    },
  };
}

interface Changed {
  readonly rows: Map<string, Row>;
  readonly batches: Set<string>;
  incomplete: boolean;
}

const nothingChanged = (): Changed => ({ rows: new Map(), batches: new Set(), incomplete: false });

interface Listeners {
  /** Whether each has reported what exists. */
  areReady(): boolean;
  stop(): void;
}

interface Listener {
  changed(note: (changed: Changed) => void): void;
  failed(error: Error): void;
}

/**
 * One listener for each collection, on what was written last. A listener first reads as many documents as its limit. If as many
 * change at once, there may be more, and pages read everything again.
 */
function startListeners(store: Store, listener: Listener): Listeners {
  const stops: (() => void)[] = [];
  let waiting = 0;

  const watch = <T>(
    documents: Documents<T>,
    query: Query,
    limit: number,
    note: (changed: Changed, found: Found<T>) => void,
  ): void => {
    waiting += 1;
    let isFirst = true;
    const changed = (found: readonly Found<T>[]): void => {
      if (isFirst) {
        isFirst = false;
        waiting -= 1;
        // What exists already is on the pages, except for what changed since they were read.
        if (waiting === 0) {
          listener.changed((all) => {
            all.incomplete = true;
          });
        }
        return;
      }
      listener.changed((all) => {
        found.forEach((each) => note(all, each));
        all.incomplete ||= found.length >= limit;
      });
    };
    stops.push(documents.watch(query, limit, { changed, failed: (error) => listener.failed(error) }));
  };

  watch<ExportRecord>(store.records, pageQueries.newestChanges(), 50, ({ rows }, found) =>
    rows.set(found.id, rowOf(found)),
  );
  watch(store.batches, pageBatchQueries.newestChanges(), 20, ({ batches }, { id }) => batches.add(id));
  watch(store.projects, pageProjectQueries.newestChanges(), 20, () => undefined);
  watch(store.rejectedMessages, rejectedMessageListQueries.newest(), 10, () => undefined);

  return { areReady: () => waiting === 0, stop: () => stops.forEach((stop) => stop()) };
}

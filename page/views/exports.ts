import type { Clock } from '../../shared/clock.ts';
import { rpcCodeOf, rpcCodes } from '../../shared/rpc-codes.ts';
import type { ExportRecord } from '../../shared/model/record.ts';
import { listQueries, newestOfLabel } from '../../shared/store/list-queries.ts';
import { pageQueries } from '../../shared/store/page-queries.ts';
import { pages } from '../../shared/store/pages.ts';
import { type Query, recordQueries } from '../../shared/store/queries.ts';
import { cursorOf, type Found, isReadable, type Store } from '../../shared/store/store.ts';
import { type Filtered, filteredRow, matchesFilter } from './filter.ts';
import { decodePosition, encodePosition } from './position.ts';
import { optional, rowOf } from './row.ts';
import type { ExportsView, Filter, Row } from './view.ts';

/** What the page shows first. Scripts request more at once. */
export const PAGE_ROWS = 100;
export const MAX_ROWS = 500;
/** How many documents one page reads at most, however few of them match: each one is billed. */
const MAX_READ = 3000;
const CHUNK = 300;

interface Wanted {
  readonly filter: Filter;
  readonly after: string | undefined;
  readonly limit: number;
  /** How long the list waits for the number of matches, from its start. */
  readonly patienceMs: number;
}

export async function exportsList(
  store: Store,
  clock: Clock,
  { filter, after, limit, patienceMs }: Wanted,
): Promise<ExportsView> {
  const startedAt = clock.now().getTime();
  const query = queryFor(filter);
  const page = await readPage(store, query, filter, after, limit).catch((error: unknown) => {
    // The deployment does not index this label.
    if (filter.label && isMissingIndex(error)) {
      return readPage(store, listQueries.newest(), filter, after, limit);
    }
    throw error;
  });
  // Only the first page shows how many match. A slow database would count before it lists, so it counts afterward.
  const leftMs = startedAt + patienceMs - clock.now().getTime();
  const total =
    after === undefined && leftMs > 0
      ? await Promise.race([countMatches(store, filter), clock.sleep(leftMs)])
      : undefined;
  return {
    kind: 'exports',
    filter,
    ...page,
    ...optional('total', total ?? undefined),
    ...optional('after', after),
  };
}

/** The database applies the filter that leaves the fewest records; the others are applied to what it finds. */
function queryFor({ states, deliveries, batch, label }: Filter): Query {
  if (batch !== undefined) {
    return listQueries.newestOfBatch(batch);
  }
  if (label) {
    return newestOfLabel(label.name, label.value);
  }
  if (deliveries.length > 0) {
    return pageQueries.delivered(deliveries);
  }
  return states.length > 0 ? listQueries.newestIn(states) : listQueries.newest();
}

const isMissingIndex = (error: unknown): boolean =>
  error instanceof Error && rpcCodeOf(error.cause) === rpcCodes.FAILED_PRECONDITION;

/** Undefined for a filter that the database cannot count. */
async function countMatches(
  { records }: Store,
  { states, deliveries, batch, label, text }: Filter,
): Promise<number | undefined> {
  if (label || text !== undefined) {
    return undefined;
  }
  if (deliveries.length > 0) {
    const isAlone = states.length === 0 && batch === undefined;
    return isAlone ? records.count(pageQueries.delivered(deliveries)) : undefined;
  }
  if (batch !== undefined) {
    return records.count(
      states.length > 0 ? recordQueries.ofBatchIn(batch, states) : recordQueries.ofBatch(batch),
    );
  }
  return records.count(states.length > 0 ? listQueries.newestIn(states) : listQueries.newest());
}

async function readPage(
  { records }: Store,
  query: Query,
  filter: Filter,
  after: string | undefined,
  limit: number,
): Promise<Pick<ExportsView, 'rows' | 'next' | 'partial'>> {
  const rows: Row[] = [];
  let read = 0;
  let last: string | undefined;
  // One more than the page: it shows whether there is another page.
  const chunk = Math.min(CHUNK, Math.max(limit + 1, 50));
  for await (const page of pages(records, query, chunk, decodePosition(after))) {
    for (const found of page) {
      if (matchesFilter(filteredOf(found), filter)) {
        if (rows.length === limit) {
          return { rows, ...optional('next', last), partial: false };
        }
        rows.push(rowOf(found));
      }
      last = encodePosition(cursorOf(query, found));
      read += 1;
      if (read === MAX_READ) {
        return { rows, ...optional('next', last), partial: true };
      }
    }
  }
  return { rows, partial: false };
}

/** The whole key: a row has only its beginning. */
function filteredOf(found: Found<ExportRecord>): Filtered {
  const row = filteredRow(rowOf(found));
  return isReadable(found)
    ? { ...row, key: found.value.jobKey ?? found.id, labels: found.value.labels }
    : row;
}

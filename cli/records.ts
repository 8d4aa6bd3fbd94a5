import type { DeliveryState } from '../shared/model/delivery.ts';
import type { ExportRecord, RecordState } from '../shared/model/record.ts';
import { isOfBatch } from '../shared/record/batches.ts';
import { listQueries, newestOfLabel } from '../shared/store/list-queries.ts';
import { pages } from '../shared/store/pages.ts';
import type { Query } from '../shared/store/queries.ts';
import { cursorOf, type Found, isReadable, type Records, type Stored } from '../shared/store/store.ts';
import type { Cli } from './cli.ts';
import type { Label } from './options.ts';

/** Finding records, for the commands that read them. */

export interface RecordFilter {
  readonly state?: readonly RecordState[];
  readonly batch?: string;
  readonly label?: Label;
  readonly since?: Date;
  readonly delivery?: readonly DeliveryState[];
}

const PAGE_SIZE = 300;

/** The database applies the filter that leaves the fewest records; the others are applied to what it finds. */
function queriesFor({ state, batch, label, since, delivery }: RecordFilter): Query[] {
  if (batch !== undefined) {
    return [listQueries.newestOfBatch(batch, since), listQueries.newestAlsoOfBatch(batch, since)];
  }
  if (label) {
    return [newestOfLabel(label.name, label.value, since)];
  }
  if (delivery && !state) {
    // Only jobs that succeeded have one.
    return [listQueries.newestIn(['SUCCEEDED'], since)];
  }
  if (state) {
    return [listQueries.newestIn(state, since)];
  }
  return [listQueries.newest(since)];
}

function matches(record: ExportRecord, { state, batch, label, delivery }: RecordFilter): boolean {
  return (
    (!state || state.includes(record.state)) &&
    (!delivery || delivery.includes(deliveryStateOf(record) as DeliveryState)) &&
    (batch === undefined || isOfBatch(record, batch)) &&
    (!label || record.labels[label.name] === label.value)
  );
}

export const deliveryStateOf = (record: ExportRecord): DeliveryState | undefined =>
  record.state === 'SUCCEEDED' ? record.delivery?.state : undefined;

/**
 * Every document that the database finds, newest first, with the cursor after it; `stored` only if it matches the filter.
 * A record that cannot be read is reported and skipped.
 */
export async function* readRecords(
  cli: Cli,
  filter: RecordFilter,
  from?: readonly unknown[],
): AsyncGenerator<{ readonly stored?: Stored<ExportRecord>; readonly cursor: readonly unknown[] }> {
  const { records } = await cli.store();
  for await (const { found, cursor } of newestOf(records, queriesFor(filter), from)) {
    if (!isReadable(found)) {
      cli.terminal.err(`ee-video-exports: ${found.unreadable.message}`);
    }
    yield isReadable(found) && matches(found.value, filter) ? { stored: found, cursor } : { cursor };
  }
}

interface Listed {
  readonly found: Found<ExportRecord>;
  /** The creation time and the ID. */
  readonly cursor: readonly unknown[];
}

/** What several lists contain, as one list. */
async function* newestOf(
  records: Records,
  queries: readonly Query[],
  from: readonly unknown[] | undefined,
): AsyncGenerator<Listed> {
  const lists = queries.map((query) => listedBy(records, query, from));
  const heads = await Promise.all(lists.map((list) => list.next()));
  for (;;) {
    let newest: number | undefined;
    let head: Listed | undefined;
    for (const [index, { value, done }] of heads.entries()) {
      if (done !== true && (head === undefined || isNewer(value, head))) {
        newest = index;
        head = value;
      }
    }
    const list = newest === undefined ? undefined : lists[newest];
    if (newest === undefined || head === undefined || list === undefined) {
      return;
    }
    yield head;
    heads[newest] = await list.next();
  }
}

async function* listedBy(
  records: Records,
  query: Query,
  from: readonly unknown[] | undefined,
): AsyncGenerator<Listed, undefined> {
  for await (const page of pages(records, query, PAGE_SIZE, from)) {
    for (const found of page) {
      yield { found, cursor: cursorOf(query, found) };
    }
  }
  return undefined;
}

function isNewer({ cursor: a }: Listed, { cursor: b }: Listed): boolean {
  const [aMs, bMs] = [Number(a[0]), Number(b[0])];
  return aMs === bMs ? String(a[1]) > String(b[1]) : aMs > bMs;
}

/** @throws UnreadableError */
export function readable<T>(found: Found<T> | undefined): Stored<T> | undefined {
  if (found && !isReadable(found)) {
    throw found.unreadable;
  }
  return found;
}

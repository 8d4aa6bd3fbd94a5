import type { DeliveryState } from '../shared/model/delivery.ts';
import type { ExportRecord, RecordState } from '../shared/model/record.ts';
import { listQueries, newestOfLabel } from '../shared/store/list-queries.ts';
import { pages } from '../shared/store/pages.ts';
import type { Query } from '../shared/store/queries.ts';
import { cursorOf, type Found, isReadable, type Stored } from '../shared/store/store.ts';
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
function queryFor({ state, batch, label, since, delivery }: RecordFilter): Query {
  if (batch !== undefined) {
    return listQueries.newestOfBatch(batch, since);
  }
  if (label) {
    return newestOfLabel(label.name, label.value, since);
  }
  if (delivery && !state) {
    // Only jobs that succeeded have one.
    return listQueries.newestIn(['SUCCEEDED'], since);
  }
  if (state) {
    return listQueries.newestIn(state, since);
  }
  return listQueries.newest(since);
}

function matches(record: ExportRecord, { state, batch, label, delivery }: RecordFilter): boolean {
  return (
    (!state || state.includes(record.state)) &&
    (!delivery || delivery.includes(deliveryStateOf(record) as DeliveryState)) &&
    (batch === undefined || record.batchId === batch) &&
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
  const query = queryFor(filter);
  for await (const page of pages(records, query, PAGE_SIZE, from)) {
    for (const found of page) {
      const cursor = cursorOf(query, found);
      if (!isReadable(found)) {
        cli.terminal.err(`ee-video-exports: ${found.unreadable.message}`);
      }
      yield isReadable(found) && matches(found.value, filter) ? { stored: found, cursor } : { cursor };
    }
  }
}

/** @throws UnreadableError */
export function readable<T>(found: Found<T> | undefined): Stored<T> | undefined {
  if (found && !isReadable(found)) {
    throw found.unreadable;
  }
  return found;
}

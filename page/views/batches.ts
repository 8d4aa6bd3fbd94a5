import { type Batch, isCanceled } from '../../shared/model/batch.ts';
import { type ExportRecord, activeStates, type RecordState } from '../../shared/model/record.ts';
import { batchListQueries } from '../../shared/store/list-queries.ts';
import { pages } from '../../shared/store/pages.ts';
import { recordQueries, rejectedMessageQueries } from '../../shared/store/queries.ts';
import { cursorOf, type Found, isReadable, type Store, type Stored } from '../../shared/store/store.ts';
import { abbreviate } from '../../shared/text.ts';
import { decodePosition, encodePosition } from './position.ts';
import { iso, optional, rowOf } from './row.ts';
import type { BatchCounts, BatchesView, BatchRow, BatchView, RejectedRow, Row } from './view.ts';

const BATCHES = 40;
/** Each job of a batch is a document to read. */
const MAX_JOBS = 2000;
const CHUNK = 500;
const REJECTED = 50;
const ISSUES = 10;

const groups: Readonly<Record<keyof BatchCounts, readonly RecordState[]>> = {
  waiting: ['WAITING', 'SUBMITTING'],
  active: activeStates,
  succeeded: ['SUCCEEDED'],
  unsuccessful: ['FAILED', 'REJECTED', 'LOST', 'CANCELLED'],
};
const groupNames = Object.keys(groups) as (keyof BatchCounts)[];

export async function batchesList({ batches, records }: Store, after?: string): Promise<BatchesView> {
  const query = batchListQueries.newest();
  const start = decodePosition(after);
  const found = await batches.find(query, {
    limit: BATCHES + 1,
    ...(start ? { after: start } : {}),
  });
  const shown = found.slice(0, BATCHES);
  const last = shown.at(-1);
  return {
    kind: 'batches',
    rows: await Promise.all(shown.filter(isReadable).map((batch) => batchRow(records, batch))),
    ...optional('next', last && found.length > BATCHES ? encodePosition(cursorOf(query, last)) : undefined),
  };
}

async function batchRow(records: Store['records'], { id, value }: Stored<Batch>): Promise<BatchRow> {
  const { state, jobs, published, counts, eecuSeconds, createdAt, finishedAt, cancelRequestedAt } = value;
  return {
    id,
    state,
    jobs,
    published,
    counts: counts ? countsOf(counts) : await countGroups(records, id),
    ...optional('eecuSeconds', eecuSeconds),
    createdAt: iso(createdAt),
    ...optional('finishedAt', finishedAt && iso(finishedAt)),
    ...optional(
      'cancelRequestedAt',
      cancelRequestedAt && isCanceled(value) ? iso(cancelRequestedAt) : undefined,
    ),
  };
}

const countsOf = (counts: NonNullable<Batch['counts']>): BatchCounts =>
  countsBy((name) => groups[name].reduce((sum, state) => sum + (counts[state] ?? 0), 0));

async function countGroups(records: Store['records'], id: string): Promise<BatchCounts> {
  const counts = await Promise.all(
    groupNames.map(async (name) => {
      const [own, shared] = await Promise.all([
        records.count(recordQueries.ofBatchIn(id, groups[name])),
        records.count(recordQueries.alsoOfBatchIn(id, groups[name])),
      ]);
      return [name, own + shared] as const;
    }),
  );
  const known = new Map(counts);
  return countsBy((name) => known.get(name) ?? 0);
}

function countsBy(count: (name: keyof BatchCounts) => number): BatchCounts {
  return {
    waiting: count('waiting'),
    active: count('active'),
    succeeded: count('succeeded'),
    unsuccessful: count('unsuccessful'),
  };
}

/** One batch with its jobs; undefined if there is no such batch and no job names it. */
export async function batchPage(store: Store, id: string): Promise<BatchView | undefined> {
  const { batches, records, rejectedMessages } = store;
  const [found, { rows, truncated }, messages] = await Promise.all([
    batches.get(id),
    readJobs(store, id),
    rejectedMessages.find(rejectedMessageQueries.ofBatch(id), { limit: REJECTED }),
  ]);
  if (!found && rows.length === 0 && messages.length === 0) {
    return undefined;
  }
  return {
    kind: 'batch',
    id,
    ...optional('batch', found && isReadable(found) ? await batchRow(records, found) : undefined),
    rows,
    truncated,
    rejected: messages.filter(isReadable).map(({ id, value }): RejectedRow => ({
      id,
      reason: value.reason,
      issues: value.issues.slice(0, ISSUES).map(({ path, message }) => ({
        path: abbreviate(path, 200),
        message: abbreviate(message, 300),
      })),
      createdAt: iso(value.createdAt),
    })),
  };
}

/** The latest attempt at each job. */
async function readJobs({ records }: Store, id: string): Promise<{ rows: Row[]; truncated: boolean }> {
  const latest = new Map<string, Row>();
  let read = 0;
  const add = (found: Found<ExportRecord>): void => {
    const row = rowOf(found);
    const job = jobOf(row);
    const known = latest.get(job);
    if (!known || known.attempt < row.attempt) {
      latest.set(job, row);
    }
  };
  for (const query of [recordQueries.ofBatch(id), recordQueries.alsoOfBatch(id)]) {
    for await (const page of pages(records, query, CHUNK)) {
      for (const found of page) {
        if (read === MAX_JOBS) {
          return { rows: [...latest.values()], truncated: true };
        }
        add(found);
        read += 1;
      }
    }
  }
  return { rows: [...latest.values()], truncated: false };
}

/** Attempts at the same job differ only in the end of their ids. */
const jobOf = ({ id, attempt }: Row): string => (attempt > 1 ? id.slice(0, -`-${attempt}`.length) : id);

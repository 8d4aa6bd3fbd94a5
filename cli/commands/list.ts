import type { ExportRecord } from '../../shared/model/record.ts';
import type { RecordState } from '../../shared/model/record.ts';
import { listQueries, newestOfLabel } from '../../shared/store/list-queries.ts';
import type { Query } from '../../shared/store/queries.ts';
import { cursorOf, isReadable, type Stored } from '../../shared/store/store.ts';
import { type Cli, writeJson } from '../cli.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import type { Label } from '../options.ts';
import { wrongInput } from '../cli-error.ts';
import { paint, paintState } from '../terminal.ts';
import { ageWord, columns, detailOf, nameOf, percent, progressOf } from '../text.ts';

export interface RecordFilter {
  readonly state?: readonly RecordState[];
  readonly batch?: string;
  readonly label?: Label;
  readonly since?: Date;
}

export interface ListOptions extends RecordFilter {
  readonly limit: number;
  readonly page?: string;
}

const PAGE_SIZE = 300;
/** So many are looked through for one page: a filter that finds next to nothing must not read a whole database. */
const MAX_READ = 20_000;

export async function list(cli: Cli, options: ListOptions): Promise<ExitCode> {
  const { terminal } = cli;
  const { records, next } = await readPage(cli, options);
  if (cli.json) {
    writeJson(cli, { records: records.map(({ id, value }) => ({ id, ...value })), ...(next && { next }) });
    return exitCodes.DONE;
  }
  if (records.length === 0) {
    terminal.err(next ? `None among the ${MAX_READ} newest; go on with --page ${next}` : 'No records.');
    return exitCodes.DONE;
  }
  const now = cli.clock.now();
  const [title, ...rows] = columns(
    [
      ['STATE', 'AGE', 'RECORD', 'JOB'],
      ...records.map(({ id, value }) => [
        stateOf(value),
        ageWord(value.createdAt, now),
        id,
        jobOf(id, value),
      ]),
    ],
    terminal.columns,
  );
  terminal.out(paint(terminal, 'bold', title ?? ''));
  for (const [index, row] of rows.entries()) {
    terminal.out(paintState(terminal, row, records[index]?.value.state ?? ''));
  }
  if (next) {
    terminal.err(`There are more: --page ${next}`);
  }
  return exitCodes.DONE;
}

function stateOf(record: ExportRecord): string {
  const progress = record.state === 'RUNNING' ? progressOf(record) : undefined;
  return progress === undefined ? record.state : `${record.state} ${percent(progress)}`;
}

const jobOf = (id: string, record: ExportRecord): string =>
  [record.jobKey === undefined ? record.destination : nameOf(id, record), detailOf(record)]
    .filter(Boolean)
    .join('  ');

/** The database answers the filter that leaves the least; the others are held against what it finds. */
function queryFor({ state, batch, label, since }: RecordFilter): Query {
  if (batch !== undefined) {
    return listQueries.newestOfBatch(batch, since);
  }
  if (label) {
    return newestOfLabel(label.name, label.value, since);
  }
  if (state) {
    return listQueries.newestIn(state, since);
  }
  return listQueries.newest(since);
}

function isWanted(record: ExportRecord, { state, batch, label }: RecordFilter): boolean {
  return (
    (!state || state.includes(record.state)) &&
    (batch === undefined || record.batchId === batch) &&
    (!label || record.labels[label.name] === label.value)
  );
}

/** Every record that the filter names, newest first, until the caller has enough. */
export async function* readRecords(
  cli: Cli,
  filter: RecordFilter,
  from?: readonly unknown[],
): AsyncGenerator<{ readonly stored?: Stored<ExportRecord>; readonly cursor: readonly unknown[] }> {
  const { records } = await cli.store();
  const query = queryFor(filter);
  let after = from;
  for (;;) {
    const page = await records.find(query, { limit: PAGE_SIZE, ...(after && { after }) });
    for (const found of page) {
      after = cursorOf(query, found);
      if (!isReadable(found)) {
        cli.terminal.err(`ee-video-exports: ${found.unreadable.message}`);
      }
      const isOne = isReadable(found) && isWanted(found.value, filter);
      yield { ...(isOne && { stored: found }), cursor: after };
    }
    if (page.length < PAGE_SIZE) {
      return;
    }
  }
}

async function readPage(
  cli: Cli,
  options: ListOptions,
): Promise<{ records: Stored<ExportRecord>[]; next: string | undefined }> {
  const records: Stored<ExportRecord>[] = [];
  let last: readonly unknown[] | undefined;
  let read = 0;
  for await (const { stored, cursor } of readRecords(cli, options, decode(options.page))) {
    if (stored && records.length === options.limit) {
      return { records, next: encode(last) };
    }
    if (stored) {
      records.push(stored);
    }
    last = cursor;
    read += 1;
    if (read === MAX_READ) {
      return { records, next: encode(last) };
    }
  }
  return { records, next: undefined };
}

/** A cursor as a word to type: when the last one was created, and its id. */
function encode(cursor: readonly unknown[] | undefined): string | undefined {
  const [createdAt, id] = cursor ?? [];
  return createdAt instanceof Date ? `${createdAt.getTime()}.${String(id)}` : undefined;
}

function decode(token: string | undefined): readonly unknown[] | undefined {
  if (token === undefined) {
    return undefined;
  }
  const [, ms, id] = /^(\d{1,15})\.(.+)$/.exec(token) ?? [];
  if (ms === undefined || id === undefined) {
    throw wrongInput(
      'PAGE_WRONG',
      `${token} is no page of a list: give --page what the list before printed.`,
    );
  }
  return [new Date(Number(ms)), id];
}

import type { ExportRecord } from '../../shared/model/record.ts';
import type { Stored } from '../../shared/store/store.ts';
import { wrongInput } from '../cli-error.ts';
import { type Cli, writeJson } from '../cli.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { readRecords, type RecordFilter } from '../records.ts';
import { paintState, writeTable } from '../terminal.ts';
import { ageWord, detailOf, nameOf, percent, progressOf } from '../text.ts';

export interface ListOptions extends RecordFilter {
  readonly limit: number;
  readonly page?: string;
}

/** How many documents one list reads at most: a filter with few matches must not read a whole database. */
const MAX_READ = 20_000;

export async function list(cli: Cli, options: ListOptions): Promise<ExitCode> {
  const { terminal } = cli;
  const { records, next } = await readPage(cli, options);
  if (cli.json) {
    writeJson(cli, { records: records.map(({ id, value }) => ({ id, ...value })), ...(next && { next }) });
    return exitCodes.DONE;
  }
  if (records.length === 0) {
    terminal.err(
      next ? `No match among the ${MAX_READ} newest records. To continue: --page ${next}` : 'No records.',
    );
    return exitCodes.DONE;
  }
  const now = cli.clock.now();
  writeTable(
    terminal,
    ['STATE', 'AGE', 'RECORD', 'JOB'],
    records.map(({ id, value }) => [stateOf(value), ageWord(value.createdAt, now), id, jobOf(id, value)]),
    (line, index) => paintState(terminal, line, records[index]?.value.state ?? ''),
  );
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

/** A cursor as a token to type: the creation time and the id of the last record. */
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
      `${token} is not a page token. Pass the value that the previous list printed.`,
    );
  }
  return [new Date(Number(ms)), id];
}

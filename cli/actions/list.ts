import type { ExportRecord } from '../../shared/model/record.ts';
import type { Stored } from '../../shared/store/store.ts';
import { wrongInput } from '../cli-error.ts';
import type { Cli } from '../cli.ts';
import { note, type Table, writeJson, writeTable } from '../output.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { readRecords, type RecordFilter } from '../records.ts';
import { columnsFor, shorten } from '../screen.ts';
import { paintState } from '../terminal.ts';
import { ageWord, detailOf, nameOf, percent, progressOf } from '../text.ts';

export interface ListOptions extends RecordFilter {
  readonly limit: number;
  readonly page?: string;
}

/** How many documents one list reads at most: a filter with few matches must not read a whole database. */
const MAX_READ = 20_000;

export async function list(cli: Cli, options: ListOptions): Promise<ExitCode> {
  const { records, next } = await readPage(cli, options);
  if (cli.json) {
    writeJson(cli, { records: records.map(({ id, value }) => ({ id, ...value })), ...(next && { next }) });
    return exitCodes.DONE;
  }
  if (records.length > 0 || cli.format === 'csv') {
    writeTable(cli, tableOf(cli, records));
  }
  if (records.length === 0) {
    note(
      cli,
      next ? `No match among the ${MAX_READ} newest records. To continue: --page ${next}` : 'No records.',
    );
  } else if (next) {
    note(cli, `There are more: --page ${next}`);
  }
  return exitCodes.DONE;
}

/** From this width on, there is room for record ids beside the names of jobs. */
const WIDE = 120;
/** Less of a detail says nothing. */
const NARROWEST_DETAIL = 12;

function tableOf({ terminal, clock }: Cli, records: readonly Stored<ExportRecord>[]): Table {
  const now = clock.now();
  const isWide = terminal.columns >= WIDE;
  const rows = records.map(({ id, value }) => ({
    fixed: [stateOf(value), ageWord(value.createdAt, now), ...(isWide ? [id] : [])],
    name: nameOf(id, value),
    detail: detailOf(value) || (value.jobKey === undefined ? (value.destination ?? '') : ''),
  }));
  const fixedHeader = ['STATE', 'AGE', ...(isWide ? ['RECORD'] : [])];
  // The name of a job matters most: what explains its state gets what is left.
  const room = terminal.columns - columnsFor([fixedHeader, ...rows.map(({ fixed }) => fixed)]);
  const longest = Math.max(...rows.map(({ name }) => name.length));
  const hasDetail = room - longest - 2 >= NARROWEST_DETAIL;
  return {
    header: [...fixedHeader, 'JOB', ...(hasDetail ? ['DETAIL'] : [])],
    rows: rows.map(({ fixed, name, detail }) => fixed.concat(shorten(name, room), hasDetail ? [detail] : [])),
    ids: records.map(({ id }) => id),
    paintRow: (line, index) => paintState(terminal, line, records[index]?.value.state ?? ''),
    csv: {
      header: [...csvFields, 'createdAt', 'finishedAt', 'outputUris', 'error'],
      rows: records.map(csvRow),
    },
  };
}

const csvFields = [
  'id',
  'jobKey',
  'attempt',
  'batchId',
  'state',
  'progress',
  'waitingFor',
  'project',
  'destination',
  'eecuSeconds',
] as const;

function csvRow({ id, value }: Stored<ExportRecord>): string[] {
  const fields: Partial<Record<(typeof csvFields)[number], string | number | undefined>> = { ...value, id };
  return [
    ...csvFields.map((name) => String(fields[name] ?? '')),
    value.createdAt.toISOString(),
    'finishedAt' in value ? value.finishedAt.toISOString() : '',
    value.state === 'SUCCEEDED' ? value.outputUris.join(' ') : '',
    'error' in value ? (value.error?.message ?? '') : '',
  ];
}

function stateOf(record: ExportRecord): string {
  const progress = record.state === 'RUNNING' ? progressOf(record) : undefined;
  return progress === undefined ? record.state : `${record.state} ${percent(progress)}`;
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

import { type ExportRecord, isTerminal, type RecordState } from '../../shared/model/record.ts';
import { listQueries } from '../../shared/store/list-queries.ts';
import { recordQueries } from '../../shared/store/queries.ts';
import { type Cli, writeJson } from '../cli.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import type { Grouping } from '../options.ts';
import { paint, paintState } from '../terminal.ts';
import { columns } from '../text.ts';
import { countStates } from '../watch/group.ts';
import { readRecords, type RecordFilter } from './list.ts';

export interface StatsOptions extends Omit<RecordFilter, 'state'> {
  readonly by?: Grouping;
}

type Counts = Partial<Record<RecordState, number>>;

interface GroupStats {
  readonly counts: Counts;
  eecuSeconds: number;
}

export async function stats(cli: Cli, { by, ...filter }: StatsOptions): Promise<ExitCode> {
  return by ? statsBy(cli, by, filter) : countsOnly(cli, filter);
}

async function countsOnly(cli: Cli, filter: RecordFilter): Promise<ExitCode> {
  const { terminal } = cli;
  const { batch, label, since } = filter;
  // The database counts a batch or everything; anything narrower is read.
  const counts =
    label || since
      ? totalOf(await readGroups(cli, filter, () => ''))
      : await countStates(
          cli,
          batch === undefined ? listQueries.inState : (state) => recordQueries.ofBatchIn(batch, [state]),
        );
  if (cli.json) {
    writeJson(cli, { counts });
    return exitCodes.DONE;
  }
  const rows = Object.entries(counts).map(([state, count]) => [state, String(count).padStart(8)]);
  if (rows.length === 0) {
    terminal.err('No records.');
  }
  for (const [index, row] of columns(rows, terminal.columns).entries()) {
    terminal.out(paintState(terminal, row, rows[index]?.[0] ?? ''));
  }
  return exitCodes.DONE;
}

const totalOf = (groups: ReadonlyMap<string, GroupStats>): Counts => groups.get('')?.counts ?? {};

async function statsBy(cli: Cli, by: Grouping, filter: RecordFilter): Promise<ExitCode> {
  const { terminal } = cli;
  const groups = await readGroups(cli, filter, groupingOf(by));
  if (cli.json) {
    const list = [...groups].map(([group, { counts, eecuSeconds }]) => ({ group, counts, eecuSeconds }));
    writeJson(cli, { groups: list });
    return exitCodes.DONE;
  }
  if (groups.size === 0) {
    terminal.err('No records.');
    return exitCodes.DONE;
  }
  const header = by.by === 'label' ? by.name.toUpperCase() : by.by.toUpperCase();
  const [title, ...rows] = columns(
    [
      [header, 'JOBS'.padStart(8), 'SUCCEEDED', 'OTHERWISE', 'UNENDED', 'EECU-HOURS'],
      ...[...groups].map(([group, { counts, eecuSeconds }]) => {
        const { jobs, succeeded, otherwise } = summary(counts);
        return [
          group || '(none)',
          String(jobs).padStart(8),
          String(succeeded).padStart(9),
          String(otherwise).padStart(9),
          String(jobs - succeeded - otherwise).padStart(7),
          (eecuSeconds / 3600).toFixed(2).padStart(10),
        ];
      }),
    ],
    terminal.columns,
  );
  terminal.out(paint(terminal, 'bold', title ?? ''));
  for (const row of rows) {
    terminal.out(row);
  }
  return exitCodes.DONE;
}

function summary(counts: Counts): { jobs: number; succeeded: number; otherwise: number } {
  const jobs = Object.values(counts).reduce((sum, count) => sum + count, 0);
  const { SUCCEEDED = 0, FAILED = 0, CANCELLED = 0, REJECTED = 0, LOST = 0 } = counts;
  return { jobs, succeeded: SUCCEEDED, otherwise: FAILED + CANCELLED + REJECTED + LOST };
}

function groupingOf(by: Grouping): (record: ExportRecord) => string {
  switch (by.by) {
    case 'batch':
      return (record) => record.batchId ?? '';
    case 'month':
      return (record) => record.createdAt.toISOString().slice(0, 7);
    case 'label':
      return (record) => record.labels[by.name] ?? '';
  }
}

/** One read per record: the database can add up only what is named to it, and groups are not known before. */
async function readGroups(
  cli: Cli,
  filter: RecordFilter,
  groupOf: (record: ExportRecord) => string,
): Promise<Map<string, GroupStats>> {
  const groups = new Map<string, GroupStats>();
  for await (const { stored } of readRecords(cli, filter)) {
    if (!stored) {
      continue;
    }
    const { value } = stored;
    const name = groupOf(value);
    const group = groups.get(name) ?? { counts: {}, eecuSeconds: 0 };
    groups.set(name, group);
    group.counts[value.state] = (group.counts[value.state] ?? 0) + 1;
    if (isTerminal(value) && 'eecuSeconds' in value) {
      group.eecuSeconds += value.eecuSeconds ?? 0;
    }
  }
  return groups;
}

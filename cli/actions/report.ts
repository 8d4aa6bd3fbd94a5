import { covers } from '../../shared/budget/figures.ts';
import { type Period, periodOf } from '../../shared/budget/period.ts';
import { DAY_MS, later } from '../../shared/clock.ts';
import type { BudgetFigures } from '../../shared/model/budget.ts';
import { earlierAttemptIds } from '../../shared/model/ids.ts';
import { type ExportRecord, isTerminal } from '../../shared/model/record.ts';
import type { Stored } from '../../shared/store/store.ts';
import { type Counts, sum } from '../attempts.ts';
import { leftHours, readBudgetFigures } from '../budgets.ts';
import type { Cli } from '../cli.ts';
import { isFinalCost } from '../cost.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import type { Grouping } from '../options.ts';
import { note, writeJson, writeTable } from '../output.ts';
import { readRecords, type RecordFilter } from '../records.ts';
import { nameOf } from '../text.ts';

/** `stats --by`: what groups of jobs cost. */

export interface Group {
  /** By state. A job counts once, by its latest attempt. */
  readonly counts: Counts;
  /** The attempts that are not counted, because a later one replaced them. */
  earlierAttempts: number;
  /** Final costs. Every attempt costs. */
  eecuSeconds: number;
  /** The last values seen of jobs that run, or that ended without a final value. */
  eecuSecondsAtLeast: number;
  /** The part that attempts cost that did not succeed. */
  eecuSecondsFailed: number;
  /** The part that second and later attempts cost, whether they succeeded or not. */
  eecuSecondsRetried: number;
  /** The part that budgets count in this month. */
  eecuSecondsThisMonth: number;
  /** The part of jobs that ended in the last days: the pace from which the forecast is made. */
  recentEecuSeconds: number;
  /** The name of one of its jobs, because a shape has no name. */
  readonly example: string;
  /** The budgets that cover all of its jobs. */
  budgets: readonly BudgetFigures[];
}

const HOUR_SECONDS = 3600;
const RECENT_MS = 7 * DAY_MS;

/** @param price of one EECU-hour */
export async function writeReport(
  cli: Cli,
  by: Grouping,
  filter: RecordFilter,
  price: number | undefined,
): Promise<ExitCode> {
  const now = cli.clock.now();
  const month = periodOf({ period: 'MONTH' }, now);
  const groups = await readGroups(cli, filter, groupingOf(by, month), await readBudgetFigures(cli));
  const lines = [...groups].map(([group, stats]): Line => {
    const isOver = by.by === 'month' && group !== month.name;
    return { group, stats, outlook: isOver ? {} : outlookOf(stats, month, now) };
  });
  if (cli.json) {
    writeJson(cli, {
      groups: lines.map(({ group, stats, outlook: { forecast, left } }) => ({
        group,
        counts: stats.counts,
        ...(by.by === 'shape' && { example: stats.example }),
        eecuSeconds: stats.eecuSeconds,
        eecuSecondsAtLeast: stats.eecuSecondsAtLeast,
        eecuSecondsFailed: stats.eecuSecondsFailed,
        eecuSecondsRetried: stats.eecuSecondsRetried,
        eecuSecondsThisMonth: stats.eecuSecondsThisMonth,
        eecuSecondsForecast: forecast,
        budgetLeft: left && { id: left.id, eecuHours: left.eecuHours },
        ...(price !== undefined && { cost: costOf(stats, price) }),
      })),
    });
    return exitCodes.DONE;
  }
  if (lines.length === 0 && cli.format !== 'csv') {
    note(cli, 'No records.');
    return exitCodes.DONE;
  }
  writeLines(cli, by, lines, price);
  return exitCodes.DONE;
}

interface Outlook {
  /** The EECU-seconds of the whole month, at the pace of the last days. */
  readonly forecast?: number;
  /** Of the budget with the least left. */
  readonly left?: { readonly id: string; readonly eecuHours: number } | undefined;
}

interface Line {
  readonly group: string;
  readonly stats: Group;
  readonly outlook: Outlook;
}

function outlookOf(stats: Group, { endsAt = new Date(0) }: Period, now: Date): Outlook {
  const remaining = (endsAt.getTime() - now.getTime()) / RECENT_MS;
  const lefts = stats.budgets.flatMap((budget) => {
    const eecuHours = leftHours(budget);
    return eecuHours === undefined ? [] : [{ id: budget.id, eecuHours }];
  });
  return {
    forecast: stats.eecuSecondsThisMonth + stats.recentEecuSeconds * remaining,
    left: lefts.sort((a, b) => a.eecuHours - b.eecuHours)[0],
  };
}

const costOf = ({ eecuSeconds, eecuSecondsAtLeast }: Group, price: number): number =>
  ((eecuSeconds + eecuSecondsAtLeast) / HOUR_SECONDS) * price;

/** Narrower terminals have no room for the columns that are `isWide`. */
const WIDE = 140;

interface Column {
  readonly title: string;
  /** Its name in CSV. */
  readonly name: string;
  readonly isWide?: boolean;
  readonly cell: (line: Line) => string;
}

function writeLines(cli: Cli, by: Grouping, lines: readonly Line[], price: number | undefined): void {
  const hours = (seconds: number | undefined): string =>
    seconds === undefined ? '' : (seconds / HOUR_SECONDS).toFixed(2);
  const columns: Column[] = [
    { title: 'JOBS', name: 'jobs', cell: ({ stats }) => String(summaryOf(stats.counts).jobs) },
    {
      title: 'SUCCEEDED',
      name: 'succeeded',
      isWide: true,
      cell: ({ stats }) => String(summaryOf(stats.counts).succeeded),
    },
    {
      title: 'UNSUCCESSFUL',
      name: 'unsuccessful',
      isWide: true,
      cell: ({ stats }) => String(summaryOf(stats.counts).unsuccessful),
    },
    {
      title: 'UNFINISHED',
      name: 'unfinished',
      isWide: true,
      cell: ({ stats }) => String(summaryOf(stats.counts).unfinished),
    },
    { title: 'EECU-HOURS', name: 'eecuHours', cell: ({ stats }) => hours(stats.eecuSeconds) },
    { title: 'AT LEAST', name: 'eecuHoursAtLeast', cell: ({ stats }) => hours(stats.eecuSecondsAtLeast) },
    { title: 'FAILURES', name: 'eecuHoursFailed', cell: ({ stats }) => hours(stats.eecuSecondsFailed) },
    { title: 'RETRIES', name: 'eecuHoursRetried', cell: ({ stats }) => hours(stats.eecuSecondsRetried) },
    {
      title: 'THIS MONTH',
      name: 'eecuHoursThisMonth',
      isWide: true,
      cell: ({ stats }) => hours(stats.eecuSecondsThisMonth),
    },
    { title: 'FORECAST', name: 'eecuHoursForecast', cell: ({ outlook }) => hours(outlook.forecast) },
    {
      title: 'LEFT',
      name: 'budgetHoursLeft',
      cell: ({ outlook }) => outlook.left?.eecuHours.toFixed(2) ?? '',
    },
    { title: 'BUDGET', name: 'budget', isWide: true, cell: ({ outlook }) => outlook.left?.id ?? '' },
    ...(price === undefined
      ? []
      : [{ title: 'COST', name: 'cost', cell: ({ stats }: Line) => costOf(stats, price).toFixed(2) }]),
  ];
  const shown = columns.filter(({ isWide }) => !isWide || cli.terminal.columns >= WIDE);
  const isByShape = by.by === 'shape';
  const groupTitle = by.by === 'label' ? by.name.toUpperCase() : by.by.toUpperCase();
  const widthOf = ({ title, cell }: Column): number =>
    Math.max(title.length, ...lines.map((line) => cell(line).length));
  writeTable(cli, {
    header: [groupTitle, ...shown.map((column) => column.title.padStart(widthOf(column)))],
    rows: lines.map((line) => [
      `${line.group || '(none)'}${isByShape ? `  ${line.stats.example}` : ''}`,
      ...shown.map((column) => column.cell(line).padStart(widthOf(column))),
    ]),
    ids: lines.map(({ group }) => group),
    csv: {
      header: [
        by.by === 'label' ? by.name : by.by,
        ...(isByShape ? ['example'] : []),
        ...columns.map(({ name }) => name),
      ],
      rows: lines.map((line) => [
        line.group,
        ...(isByShape ? [line.stats.example] : []),
        ...columns.map(({ cell }) => cell(line)),
      ]),
    },
  });
}

function summaryOf(counts: Counts) {
  const jobs = sum(Object.values(counts));
  const { SUCCEEDED = 0, FAILED = 0, CANCELLED = 0, REJECTED = 0, LOST = 0 } = counts;
  const unsuccessful = FAILED + CANCELLED + REJECTED + LOST;
  return { jobs, succeeded: SUCCEEDED, unsuccessful, unfinished: jobs - SUCCEEDED - unsuccessful };
}

function groupingOf(by: Grouping, month: Period): (record: ExportRecord) => string {
  switch (by.by) {
    case 'batch':
      return (record) => record.batchId ?? '';
    case 'shape':
      return (record) => record.shapeHash ?? '';
    case 'month':
      // Budgets count the same way: a job that has not ended belongs to the current month.
      return (record) => (isTerminal(record) ? record.finishedAt.toISOString().slice(0, 7) : month.name);
    case 'label':
      return (record) => record.labels[by.name] ?? '';
  }
}

/** Reads every record: the database can sum only groups whose names are known. */
export async function readGroups(
  cli: Cli,
  filter: RecordFilter,
  groupOf: (record: ExportRecord) => string,
  budgets: readonly BudgetFigures[] = [],
): Promise<Map<string, Group>> {
  const now = cli.clock.now();
  const groups = new Map<string, Group>();
  // Records come newest first, so a later attempt comes before those that it replaces.
  const replaced = new Set<string>();
  for await (const { stored } of readRecords(cli, filter)) {
    if (!stored) {
      continue;
    }
    const { id, value } = stored;
    for (const earlier of earlierAttemptIds(id, value.attempt)) {
      replaced.add(earlier);
    }
    const name = groupOf(value);
    const group = groups.get(name) ?? createGroup(stored, budgets);
    groups.set(name, group);
    group.budgets = group.budgets.filter(({ match }) => covers(match, value));
    if (replaced.has(id)) {
      group.earlierAttempts += 1;
    } else {
      group.counts[value.state] = (group.counts[value.state] ?? 0) + 1;
    }
    addCost(group, value, now);
  }
  return groups;
}

const createGroup = ({ id, value }: Stored<ExportRecord>, budgets: readonly BudgetFigures[]): Group => ({
  counts: {},
  earlierAttempts: 0,
  eecuSeconds: 0,
  eecuSecondsAtLeast: 0,
  eecuSecondsFailed: 0,
  eecuSecondsRetried: 0,
  eecuSecondsThisMonth: 0,
  recentEecuSeconds: 0,
  example: nameOf(id, value),
  budgets,
});

function addCost(group: Group, record: ExportRecord, now: Date): void {
  const cost = 'eecuSeconds' in record ? (record.eecuSeconds ?? 0) : 0;
  group[isFinalCost(record) ? 'eecuSeconds' : 'eecuSecondsAtLeast'] += cost;
  if (record.attempt > 1) {
    group.eecuSecondsRetried += cost;
  }
  const { startsAt = now } = periodOf({ period: 'MONTH' }, now);
  if (!isTerminal(record)) {
    group.eecuSecondsThisMonth += cost;
    return;
  }
  if (record.state !== 'SUCCEEDED') {
    group.eecuSecondsFailed += cost;
  }
  group.eecuSecondsThisMonth += record.finishedAt >= startsAt ? cost : 0;
  group.recentEecuSeconds += record.finishedAt >= later(now, -RECENT_MS) ? cost : 0;
}

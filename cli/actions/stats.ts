import { DAY_MS, later } from '../../shared/clock.ts';
import {
  activeStates,
  type RecordState,
  terminalStates,
  waitingForSchema,
} from '../../shared/model/record.ts';
import { costQueries, listQueries, rejectedMessageListQueries } from '../../shared/store/list-queries.ts';
import { isReadable } from '../../shared/store/store.ts';
import type { Query } from '../../shared/store/queries.ts';
import { type Counts, countingReplaced, subtract, sum } from '../attempts.ts';
import { wrongInput } from '../cli-error.ts';
import type { Cli } from '../cli.ts';
import { note, writeJson, writeTable } from '../output.ts';
import { deliveryStates } from '../../shared/model/delivery.ts';
import { recordQueries } from '../../shared/store/queries.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import type { Grouping } from '../options.ts';
import type { RecordFilter } from '../records.ts';
import { table, wrap } from '../screen.ts';
import { readRestrictions, restrictionText } from '../restrictions.ts';
import { paint, paintState } from '../terminal.ts';
import { eecu, plural } from '../text.ts';
import { countStates, inBatch, replacedInBatch } from '../watch/group.ts';
import { type Group, readGroups, writeReport } from './report.ts';

export interface StatsOptions extends Omit<RecordFilter, 'state'> {
  readonly by?: Grouping;
  /** Of one EECU-hour, in any currency. */
  readonly price?: number;
}

type Cost = Pick<Group, 'eecuSeconds' | 'eecuSecondsAtLeast'>;

export async function stats(cli: Cli, { by, price, ...filter }: StatsOptions): Promise<ExitCode> {
  if (by) {
    return writeReport(cli, by, filter, price);
  }
  if (price !== undefined) {
    throw wrongInput('ARGUMENTS_WRONG', '--price needs --by: it adds what each group costs in money.');
  }
  return countsOnly(cli, filter);
}

/** Every attempt that succeeded has a video of its own. */
async function countDeliveries(
  cli: Cli,
  batch: string | undefined,
): Promise<Record<string, number> | undefined> {
  const { records } = await cli.store();
  const counts = await Promise.all(
    deliveryStates.map(async (state) => {
      const query =
        batch === undefined ? recordQueries.delivered(state) : recordQueries.ofBatchDelivered(batch, state);
      return [state, await records.count(query)] as const;
    }),
  );
  const found = counts.filter(([, count]) => count > 0);
  return found.length > 0 ? Object.fromEntries(found) : undefined;
}

async function countsOnly(cli: Cli, filter: RecordFilter): Promise<ExitCode> {
  const { terminal } = cli;
  const { batch, label, since } = filter;
  // The database can count and sum a batch or everything; for other filters the records are read.
  const {
    counts,
    earlierAttempts = 0,
    ...cost
  }: Cost & { readonly counts: Counts; readonly earlierAttempts?: number } = label || since
    ? ((await readGroups(cli, filter, () => '')).get('') ?? { counts: {}, ...noCost })
    : { ...(await countLatest(cli, batch)), ...(await sumCosts(cli, batch)) };
  const isWhole = batch === undefined && !label && !since;
  const [restricted, deliveries, waitingFor, rejected] = await Promise.all([
    readRestrictions(cli),
    label || since ? undefined : countDeliveries(cli, batch),
    isWhole ? countReasons(cli) : {},
    isWhole ? countRejected(cli) : {},
  ]);
  if (cli.json) {
    writeJson(cli, {
      counts,
      ...(earlierAttempts > 0 && { earlierAttempts }),
      ...(deliveries && { deliveries }),
      ...cost,
      restricted,
      ...(isWhole && { waitingFor, rejectedMessages: rejected }),
    });
    return exitCodes.DONE;
  }
  const rows = Object.entries(counts).map(([state, count]) => [state, String(count).padStart(8)]);
  if (rows.length === 0) {
    note(cli, 'No records.');
  }
  if (cli.format === 'csv' || cli.isQuiet) {
    writeTable(cli, { header: ['STATE', 'JOBS'], rows, ids: rows.map((row) => row.join(' ')) });
    return exitCodes.DONE;
  }
  for (const [index, row] of table(rows, '', terminal.columns).entries()) {
    terminal.out(paintState(terminal, row, rows[index]?.[0] ?? ''));
  }
  if (earlierAttempts > 0) {
    note(
      cli,
      `${plural(earlierAttempts, 'earlier attempt')} ${earlierAttempts === 1 ? 'is' : 'are'} not counted: a job counts once, by its latest attempt. list has every attempt.`,
    );
  }
  const videos = Object.entries(deliveries ?? {}).map(([state, count]) => `${count} ${state}`);
  if (videos.length > 0) {
    terminal.out(`\nVideos     ${videos.join(', ')}`);
  }
  terminal.out(`\nEECU-time  ${eecu(cost.eecuSeconds)}`);
  const indent = ' '.repeat('At least   '.length);
  const atLeast = `${eecu(cost.eecuSecondsAtLeast)} more (unfinished jobs, and ended without a final value)`;
  terminal.out(wrap(atLeast, indent, terminal.columns).join('\n').replace(indent, 'At least   '));
  writeNumbers(cli, 'Waiting   ', waitingFor);
  writeNumbers(cli, 'Rejected  ', rejected);
  for (const restriction of restricted) {
    terminal.out(`\n${paint(terminal, 'yellow', 'Restricted')} ${restrictionText(restriction)}.`);
  }
  return exitCodes.DONE;
}

function writeNumbers({ terminal }: Cli, title: string, numbers: Readonly<Record<string, number>>): void {
  const texts = Object.entries(numbers).map(([name, count]) => `${name} ${count}`);
  if (texts.length > 0) {
    terminal.out(`${title} ${texts.join('  ')}`);
  }
}

/** Why jobs wait, and how many for each reason. */
async function countReasons(cli: Cli): Promise<Record<string, number>> {
  const { records } = await cli.store();
  const counts = await Promise.all(
    waitingForSchema.options.map(
      async (reason) => [reason, await records.count(listQueries.waitingFor(reason))] as const,
    ),
  );
  return Object.fromEntries(counts.filter(([, count]) => count > 0));
}

const REJECTED_MS = DAY_MS;
const MOST_REJECTED = 1000;

/** The messages of the last day that never became a job, by reason, without those that were published again. */
async function countRejected(cli: Cli): Promise<Record<string, number>> {
  const { rejectedMessages } = await cli.store();
  const query = rejectedMessageListQueries.newest(later(cli.clock.now(), -REJECTED_MS));
  const counts: Record<string, number> = {};
  for (const { value } of (await rejectedMessages.find(query, { limit: MOST_REJECTED })).filter(isReadable)) {
    if (!value.replayedAt) {
      counts[value.reason] = (counts[value.reason] ?? 0) + 1;
    }
  }
  return counts;
}

const noCost: Cost = { eecuSeconds: 0, eecuSecondsAtLeast: 0 };

async function countLatest(
  cli: Cli,
  batchId: string | undefined,
): Promise<{ readonly counts: Counts; readonly earlierAttempts: number }> {
  const store = await cli.store();
  const replaced =
    batchId === undefined
      ? countingReplaced(store.records, [listQueries.laterAttempts()], () => true)
      : replacedInBatch(store, batchId);
  const inState =
    batchId === undefined ? (state: RecordState) => [listQueries.inState(state)] : inBatch(batchId);
  const [all, earlier] = await Promise.all([countStates(cli, inState), replaced()]);
  return { counts: subtract(all, earlier), earlierAttempts: sum(Object.values(earlier)) };
}

async function sumCosts(cli: Cli, batch: string | undefined): Promise<Cost> {
  const { records } = await cli.store();
  const cost = (query: Query) => records.sum(query, 'eecuSeconds');
  const { inStates, inStatesOfBatch, lowerBounds, lowerBoundsOfBatch } = costQueries;
  const [active, ended, endedAtLeast] = await Promise.all(
    batch === undefined
      ? [cost(inStates(activeStates)), cost(inStates(terminalStates)), cost(lowerBounds())]
      : [
          cost(inStatesOfBatch(activeStates, batch)),
          cost(inStatesOfBatch(terminalStates, batch)),
          cost(lowerBoundsOfBatch(batch)),
        ],
  );
  return { eecuSeconds: ended - endedAtLeast, eecuSecondsAtLeast: active + endedAtLeast };
}

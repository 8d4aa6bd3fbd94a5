import type { Batch } from '../../shared/model/batch.ts';
import { HOUR_MS } from '../../shared/clock.ts';
import { type RecordState, recordStates, terminalStates } from '../../shared/model/record.ts';
import { listQueries } from '../../shared/store/list-queries.ts';
import { type Query, recordQueries, rejectedMessageQueries } from '../../shared/store/queries.ts';
import { isReadable } from '../../shared/store/store.ts';
import { type Cli, writeJson } from '../cli.ts';
import { CliError, rejectionCode } from '../cli-error.ts';
import { bar } from '../screen.ts';
import { paint } from '../terminal.ts';
import { age, columns, duration, line, percent, plural, printable } from '../text.ts';
import { createFrame } from './frame.ts';
import type { Watching } from './watching.ts';

/** Many jobs as counts, by the database: what a look costs does not grow with them. */
export interface GroupLook {
  readonly at: Date;
  readonly counts: Readonly<Partial<Record<RecordState, number>>>;
  /** Messages of it that never became a record. */
  readonly refused: number;
  /** Records that are still to come: the manifest is being expanded, or its messages are on their way. */
  readonly expected: number;
  readonly oldestWaiting: Date | undefined;
}

interface Group {
  readonly name: string;
  readonly inState: (state: RecordState) => Query;
  readonly waiting: Query;
  readonly batchId?: string;
  /** The manifest that was just published for it: the batch may not be there yet, or never come. */
  readonly published?: { readonly messageId: string; readonly jobs: number };
}

export const batchGroup = (batchId: string): Group => ({
  name: batchId,
  batchId,
  inState: (state) => recordQueries.ofBatchIn(batchId, [state]),
  waiting: recordQueries.ofBatchIn(batchId, ['WAITING']),
});

export const everything: Group = {
  name: 'All jobs',
  inState: listQueries.inState,
  waiting: recordQueries.waiting(),
};

export function watchingGroup(cli: Cli, group: Group): Watching<GroupLook> {
  const show = cli.json
    ? jsonLines(cli, group)
    : cli.terminal.isInteractive
      ? bars(cli, group)
      : lines(cli, group);
  return {
    look: () => lookAtGroup(cli, group),
    endOf: (look) => {
      const { total, ended } = sums(look);
      if (ended < total) {
        return undefined;
      }
      return group.batchId === undefined || (look.counts.SUCCEEDED ?? 0) === total ? 'SUCCEEDED' : 'FAILED';
    },
    show,
    resumeCommand: `npx ee-video-exports watch${group.batchId === undefined ? '' : ` --batch ${group.batchId}`}`,
  };
}

export async function countStates(
  cli: Cli,
  inState: (state: RecordState) => Query,
): Promise<Partial<Record<RecordState, number>>> {
  const { records } = await cli.store();
  const counts = await Promise.all(
    recordStates.map(async (state) => [state, await records.count(inState(state))] as const),
  );
  return Object.fromEntries(counts.filter(([, count]) => count > 0));
}

async function lookAtGroup(cli: Cli, group: Group): Promise<GroupLook> {
  const { inState, waiting, batchId } = group;
  const { records, batches, rejectedMessages } = await cli.store();
  const [counts, [oldest], batch, refused] = await Promise.all([
    countStates(cli, inState),
    records.find(waiting, { limit: 1 }),
    batchId === undefined ? undefined : batches.get(batchId),
    batchId === undefined ? 0 : rejectedMessages.count(rejectedMessageQueries.ofBatch(batchId)),
  ]);
  const found = batch && isReadable(batch) ? batch.value : undefined;
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  if (batchId !== undefined && !found && total + refused === 0) {
    await expectBatch(cli, group);
  }
  // Jobs that had a record before are not of this batch; a finished one waits for nothing.
  const jobs = found ? jobsToCome(found) : (group.published?.jobs ?? 0);
  return {
    at: cli.clock.now(),
    counts,
    refused,
    expected: Math.max(0, jobs - total - refused),
    oldestWaiting: oldest && isReadable(oldest) ? oldest.value.createdAt : undefined,
  };
}

function jobsToCome({ state, jobs, existing = 0 }: Batch): number {
  return state === 'FINISHED' ? 0 : jobs - existing;
}

/** @throws where the batch will not come */
async function expectBatch(cli: Cli, { name, published }: Group): Promise<void> {
  if (!published) {
    throw new CliError(
      'NOT_FOUND',
      `There is no batch ${printable(name)}; list --json shows each record's batchId, such as weekly@2026-11-23.`,
    );
  }
  const { rejectedMessages } = await cli.store();
  const rejected = await rejectedMessages.get(published.messageId);
  if (!rejected || !isReadable(rejected)) {
    return;
  }
  const [issue] = rejected.value.issues;
  throw new CliError(
    rejectionCode(rejected.value.reason),
    `The service refused the manifest: ${issue ? `${issue.path}: ${issue.message}` : rejected.value.reason}; ee-video-exports show ${published.messageId} has all of it.`,
  );
}

function sums({ counts, refused, expected }: GroupLook): { total: number; ended: number } {
  const inRecords = Object.values(counts).reduce((sum, count) => sum + count, 0);
  const ended = terminalStates.reduce((sum, state) => sum + (counts[state] ?? 0), refused);
  return { total: inRecords + refused + expected, ended };
}

export const countsText = (counts: GroupLook['counts']): string =>
  Object.entries(counts)
    .map(([state, count]) => `${state} ${count}`)
    .join('  ');

function figures(first: GroupLook, look: GroupLook): string[] {
  const { total, ended } = sums(look);
  const elapsedMs = look.at.getTime() - first.at.getTime();
  const perMs = elapsedMs > 0 ? (ended - sums(first).ended) / elapsedMs : 0;
  return [
    ...(perMs > 0 ? [`${Math.round(perMs * HOUR_MS)} an hour`] : []),
    ...(perMs > 0 && ended < total ? [`about ${duration((total - ended) / perMs)} to go`] : []),
    ...(look.oldestWaiting ? [`oldest waiting ${age(look.oldestWaiting, look.at)}`] : []),
    ...(look.refused > 0 ? [`${plural(look.refused, 'message')} refused`] : []),
    ...(look.expected > 0 ? [`${look.expected} to come`] : []),
  ];
}

const BAR_WIDTH = 24;

function bars({ terminal }: Cli, { name }: Group): Watching<GroupLook>['show'] {
  const frame = createFrame(terminal);
  let first: GroupLook | undefined;
  return (look) => {
    first ??= look;
    const { total, ended } = sums(look);
    const share = total === 0 ? 1 : ended / total;
    const drawn = [
      paint(terminal, 'bold', line(name, terminal.columns)),
      `  ${bar(share, BAR_WIDTH)} ${percent(share).padStart(4)}  ${ended} of ${total} ended`,
      ...columns(
        Object.entries(look.counts).map(([state, count]) => [`  ${state}`, String(count).padStart(8)]),
        terminal.columns,
      ),
      `  ${figures(first, look).join(', ')}`,
    ];
    frame.draw(drawn);
  };
}

function lines({ terminal }: Cli, { name }: Group): Watching<GroupLook>['show'] {
  let first: GroupLook | undefined;
  let told = '';
  return (look) => {
    first ??= look;
    const { total, ended } = sums(look);
    const text = `${name}  ${ended} of ${total} ended  ${countsText(look.counts)}`;
    if (text === told) {
      return;
    }
    told = text;
    const more = figures(first, look);
    terminal.out(
      `${look.at.toISOString().slice(11, 19)}  ${text}${more.length > 0 ? `  (${more.join(', ')})` : ''}`,
    );
  };
}

function jsonLines(cli: Cli, { name }: Group): Watching<GroupLook>['show'] {
  let told = '';
  return ({ at, counts, refused, expected, oldestWaiting }) => {
    const text = JSON.stringify({ counts, refused, expected });
    if (text === told) {
      return;
    }
    told = text;
    writeJson(cli, { at, name, counts, refused, expected, oldestWaiting });
  };
}

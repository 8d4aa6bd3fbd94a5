import type { Batch } from '../../shared/model/batch.ts';
import { HOUR_MS } from '../../shared/clock.ts';
import { type RecordState, recordStates, terminalStates } from '../../shared/model/record.ts';
import { listQueries } from '../../shared/store/list-queries.ts';
import { type Query, recordQueries, rejectedMessageQueries } from '../../shared/store/queries.ts';
import { isOfBatch } from '../../shared/record/batches.ts';
import { isReadable, type Store } from '../../shared/store/store.ts';
import { type Counts, countingReplaced, subtract, sum } from '../attempts.ts';
import { CliError, rejectionCode } from '../cli-error.ts';
import type { Cli } from '../cli.ts';
import { writeJson } from '../output.ts';
import { readRestrictions } from '../restrictions.ts';
import { fit, shorten, splitBar, table, wrap } from '../screen.ts';
import { paint } from '../terminal.ts';
import { age, duration, percent, plural, printable } from '../text.ts';
import { createFrame } from './frame.ts';
import { linesView, silentView, type View, type Watching } from './watching.ts';

/** Many jobs as counts, which the database makes: reading them costs the same for any number of jobs. */
export interface GroupStatus {
  readonly at: Date;
  /** Of the latest attempts at the jobs of a batch. */
  readonly counts: Readonly<Counts>;
  /** Messages of the group that the service rejected. */
  readonly refused: number;
  /** Records that do not exist yet: the manifest is being expanded, or its messages are being delivered. */
  readonly expected: number;
  readonly oldestWaiting: Date | undefined;
  /** Projects whose exports Earth Engine slows down. */
  readonly restricted: readonly string[];
}

interface Group {
  readonly name: string;
  /** What is counted for each state. */
  readonly inState: (state: RecordState) => readonly Query[];
  readonly waiting: Query;
  readonly batchId?: string;
  /** The manifest that was just published for it: the batch may not exist yet, or may be rejected. */
  readonly published?: { readonly messageId: string; readonly jobs: number };
}

/** With the jobs that the batch shares with others. */
export const inBatch =
  (batchId: string) =>
  (state: RecordState): readonly Query[] => [
    recordQueries.ofBatchIn(batchId, [state]),
    recordQueries.alsoOfBatchIn(batchId, [state]),
  ];

/** Counts the attempts of a batch that later ones replaced. */
export const replacedInBatch = (
  { records }: Pick<Store, 'records'>,
  batchId: string,
): (() => Promise<Counts>) =>
  countingReplaced(
    records,
    [listQueries.laterAttemptsOfBatch(batchId), listQueries.laterAttemptsSharedBy(batchId)],
    (record) => isOfBatch(record, batchId),
  );

export const batchGroup = (batchId: string): Group => ({
  name: batchId,
  batchId,
  inState: inBatch(batchId),
  waiting: recordQueries.ofBatchIn(batchId, ['WAITING']),
});

export const everything: Group = {
  name: 'All jobs',
  inState: (state) => [listQueries.inState(state)],
  waiting: recordQueries.waiting(),
};

export function watchingGroup(cli: Cli, group: Group): Watching<GroupStatus> {
  let replaced: (() => Promise<Counts>) | undefined;
  return {
    async read() {
      const { batchId } = group;
      replaced ??= batchId === undefined ? async () => ({}) : replacedInBatch(await cli.store(), batchId);
      return readGroup(cli, group, replaced);
    },
    endOf: (status) => {
      const { total, ended } = sums(status);
      if (ended < total) {
        return undefined;
      }
      return group.batchId === undefined || (status.counts.SUCCEEDED ?? 0) === total ? 'SUCCEEDED' : 'FAILED';
    },
    view: viewOf(cli, group),
    resumeCommand: `npx ee-video-exports watch${group.batchId === undefined ? '' : ` --batch ${group.batchId}`}`,
  };
}

function viewOf(cli: Cli, group: Group): View<GroupStatus> {
  if (cli.json) {
    return linesView(cli, jsonLines(cli, group));
  }
  if (cli.isQuiet) {
    return silentView;
  }
  return cli.terminal.isInteractive ? bars(cli, group) : linesView(cli, lines(cli, group));
}

export async function countStates(
  cli: Cli,
  inState: (state: RecordState) => readonly Query[],
): Promise<Counts> {
  const { records } = await cli.store();
  const counts = await Promise.all(
    recordStates.map(
      async (state) =>
        [state, sum(await Promise.all(inState(state).map((query) => records.count(query))))] as const,
    ),
  );
  return Object.fromEntries(counts.filter(([, count]) => count > 0));
}

async function readGroup(cli: Cli, group: Group, replaced: () => Promise<Counts>): Promise<GroupStatus> {
  const { inState, waiting, batchId } = group;
  const { records, batches, rejectedMessages } = await cli.store();
  const [all, earlier, [oldest], batch, refused, restrictions] = await Promise.all([
    countStates(cli, inState),
    replaced(),
    records.find(waiting, { limit: 1 }),
    batchId === undefined ? undefined : batches.get(batchId),
    batchId === undefined ? 0 : rejectedMessages.count(rejectedMessageQueries.ofBatch(batchId)),
    readRestrictions(cli),
  ]);
  const found = batch && isReadable(batch) ? batch.value : undefined;
  const counts = subtract(all, earlier);
  const total = sum(Object.values(counts));
  if (batchId !== undefined && !found && total + refused === 0) {
    await expectBatch(cli, group);
  }
  // Jobs that already had a record do not belong to this batch; a finished batch expects no more.
  const jobs = found ? jobsToCome(found) : (group.published?.jobs ?? 0);
  return {
    at: cli.clock.now(),
    counts,
    refused,
    expected: Math.max(0, jobs - total - refused),
    oldestWaiting: oldest && isReadable(oldest) ? oldest.value.createdAt : undefined,
    restricted: restrictions.map(({ project }) => project),
  };
}

function jobsToCome({ state, jobs, existing = 0 }: Batch): number {
  return state === 'FINISHED' ? 0 : jobs - existing;
}

/** @throws CliError if the batch will never exist */
async function expectBatch(cli: Cli, { name, published }: Group): Promise<void> {
  if (!published) {
    throw new CliError(
      'NOT_FOUND',
      `There is no batch ${printable(name)}. To see which there are, run batch list.`,
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
    `The service rejected the manifest: ${issue ? `${issue.path}: ${issue.message}` : rejected.value.reason}. For all its mistakes, run npx ee-video-exports show ${published.messageId}.`,
  );
}

function sums({ counts, refused, expected }: GroupStatus): { total: number; ended: number } {
  const inRecords = sum(Object.values(counts));
  const ended = refused + sum(terminalStates.map((state) => counts[state] ?? 0));
  return { total: inRecords + refused + expected, ended };
}

export const countsText = (counts: GroupStatus['counts']): string =>
  Object.entries(counts)
    .map(([state, count]) => `${state} ${count}`)
    .join('  ');

function figures(first: GroupStatus, status: GroupStatus): string[] {
  const { total, ended } = sums(status);
  const elapsedMs = status.at.getTime() - first.at.getTime();
  const perMs = elapsedMs > 0 ? (ended - sums(first).ended) / elapsedMs : 0;
  return [
    ...(perMs > 0 ? [`${Math.round(perMs * HOUR_MS)} per hour`] : []),
    ...(perMs > 0 && ended < total ? [`about ${duration((total - ended) / perMs)} to go`] : []),
    ...(status.oldestWaiting ? [`oldest waiting ${age(status.oldestWaiting, status.at)}`] : []),
    ...(status.refused > 0 ? [`${plural(status.refused, 'message')} rejected`] : []),
    ...(status.expected > 0 ? [`${status.expected} expected`] : []),
    ...(status.restricted.length > 0 ? [`restricted by Earth Engine: ${status.restricted.join(' ')}`] : []),
  ];
}

const BAR_WIDTH = 24;

function bars({ terminal }: Cli, { name }: Group): View<GroupStatus> {
  const frame = createFrame(terminal);
  let first: GroupStatus | undefined;
  return {
    notice: (text) => frame.notice(text),
    show(status) {
      first ??= status;
      const { total, ended } = sums(status);
      const succeeded = status.counts.SUCCEEDED ?? 0;
      const share = total === 0 ? 1 : ended / total;
      const shares = total === 0 ? [1, 0] : [succeeded / total, (ended - succeeded) / total];
      const drawn = [
        paint(terminal, 'bold', fit(shorten(name, terminal.columns), terminal.columns)),
        fit(
          `  ${splitBar(shares, BAR_WIDTH)} ${percent(share).padStart(4)}  ${ended} of ${total} ended`,
          terminal.columns,
        ),
        ...table(
          Object.entries(status.counts).map(([state, count]) => [state, String(count).padStart(8)]),
          '  ',
          terminal.columns,
        ),
        ...wrap(figures(first, status).join(', '), '  ', terminal.columns),
      ];
      frame.draw(drawn);
    },
  };
}

function lines({ terminal }: Cli, { name }: Group): View<GroupStatus>['show'] {
  let first: GroupStatus | undefined;
  let written = '';
  return (status) => {
    first ??= status;
    const { total, ended } = sums(status);
    const text = `${name}  ${ended} of ${total} ended  ${countsText(status.counts)}`;
    if (text === written) {
      return;
    }
    written = text;
    const more = figures(first, status);
    terminal.out(
      `${status.at.toISOString().slice(11, 19)}  ${text}${more.length > 0 ? `  (${more.join(', ')})` : ''}`,
    );
  };
}

function jsonLines(cli: Cli, { name }: Group): View<GroupStatus>['show'] {
  let written = '';
  return ({ at, counts, refused, expected, oldestWaiting, restricted }) => {
    const text = JSON.stringify({ counts, refused, expected, restricted });
    if (text === written) {
      return;
    }
    written = text;
    writeJson(cli, { at, name, counts, refused, expected, oldestWaiting, restricted });
  };
}

import type { Batch } from '../../shared/model/batch.ts';
import { recordQueries, rejectedMessageQueries } from '../../shared/store/queries.ts';
import { isReadable } from '../../shared/store/store.ts';
import { type Counts, subtract, sum } from '../attempts.ts';
import type { Cli } from '../cli.ts';
import { note, writeJson } from '../output.ts';
import { paint } from '../terminal.ts';
import { age, eecu, plural, printable, time } from '../text.ts';
import { countsText, countStates, inBatch, replacedInBatch } from '../watch/group.ts';
import { isDocumentId } from '../targets.ts';
import { writeFields } from './field.ts';

interface Overview {
  readonly batch: Batch | undefined;
  /** Of the latest attempts. */
  readonly counts: Counts;
  readonly rejectedMessages: number;
  readonly eecuSeconds: number;
}

async function readOverview(cli: Cli, id: string): Promise<Overview> {
  const store = await cli.store();
  const [batch, all, replaced, rejectedMessages, eecuSeconds] = await Promise.all([
    isDocumentId(id) ? store.batches.get(id) : undefined,
    countStates(cli, inBatch(id)),
    replacedInBatch(store, id)(),
    store.rejectedMessages.count(rejectedMessageQueries.ofBatch(id)),
    store.records.sum(recordQueries.terminalOfBatch(id), 'eecuSeconds'),
  ]);
  return {
    batch: batch && isReadable(batch) ? batch.value : undefined,
    counts: subtract(all, replaced),
    rejectedMessages,
    eecuSeconds,
  };
}

export async function showBatch(cli: Cli, id: string): Promise<void> {
  const { batch, counts, rejectedMessages, eecuSeconds } = await readOverview(cli, id);
  if (cli.json) {
    writeJson(cli, { id, ...batch, counts, rejectedMessages, eecuSeconds });
    return;
  }
  const now = cli.clock.now();
  cli.terminal.out(paint(cli.terminal, 'bold', `${printable(id)}  ${batch?.state ?? 'no manifest'}`));
  writeFields(cli, [
    ['jobs', countsText(counts) || 'none yet'],
    [
      'expected',
      batch && batch.state !== 'FINISHED' ? String(missingOf(batch, counts, rejectedMessages)) : undefined,
    ],
    ['rejected', rejectedMessages > 0 ? plural(rejectedMessages, 'message') : undefined],
    ['expired', batch?.expired === undefined ? undefined : plural(batch.expired, 'job')],
    ['canceled', batch?.cancelRequestedAt && `${time(batch.cancelRequestedAt)} UTC`],
    ['created', batch && `${time(batch.createdAt)} UTC, ${age(batch.createdAt, now)} ago`],
    [
      'finished',
      batch?.finishedAt && `${time(batch.finishedAt)} UTC, after ${age(batch.createdAt, batch.finishedAt)}`,
    ],
    ['manifest', batch?.messageId && `message ${batch.messageId}`],
    ['EECU', eecuSeconds > 0 ? eecu(eecuSeconds) : undefined],
  ]);
  const { SUCCEEDED = 0 } = counts;
  if (sum(Object.values(counts)) > SUCCEEDED) {
    note(cli, `\nTo list its jobs: npx ee-video-exports list --batch ${id}`);
  }
}

/** Jobs that have neither a record nor a rejected message yet. */
const missingOf = ({ jobs, existing = 0 }: Batch, counts: Counts, rejectedMessages: number): number =>
  Math.max(0, jobs - existing - sum(Object.values(counts)) - rejectedMessages);

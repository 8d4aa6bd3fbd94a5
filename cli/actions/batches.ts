import { type Batch, isCanceled } from '../../shared/model/batch.ts';
import { batchListQueries } from '../../shared/store/list-queries.ts';
import { isReadable, type Stored } from '../../shared/store/store.ts';
import type { Cli } from '../cli.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { note, writeJson, writeTable } from '../output.ts';
import { showBatch } from '../show/batch.ts';
import { isBatch, notFound } from '../targets.ts';
import { ageWord } from '../text.ts';

export interface ListBatchesOptions {
  readonly since?: Date;
  readonly limit: number;
}

export async function listBatches(cli: Cli, { since, limit }: ListBatchesOptions): Promise<ExitCode> {
  const { batches } = await cli.store();
  const found = (await batches.find(batchListQueries.newest(since), { limit })).filter(isReadable);
  if (cli.json) {
    writeJson(cli, { batches: found.map(({ id, value }) => ({ id, ...value })) });
    return exitCodes.DONE;
  }
  if (found.length === 0) {
    note(cli, 'No batches.');
    return exitCodes.DONE;
  }
  const now = cli.clock.now();
  writeTable(cli, {
    header: ['STATE', 'AGE', 'JOBS', 'BATCH'],
    rows: found.map(({ id, value }) => [
      stateOf(value),
      ageWord(value.createdAt, now),
      String(value.jobs).padStart(4),
      id,
    ]),
    ids: found.map(({ id }) => id),
    csv: { header: ['batch', 'state', 'jobs', 'createdAt', 'finishedAt'], rows: found.map(csvRow) },
  });
  return exitCodes.DONE;
}

const stateOf = (batch: Batch): string => (isCanceled(batch) ? `${batch.state}, canceled` : batch.state);

const csvRow = ({ id, value }: Stored<Batch>): string[] => [
  id,
  stateOf(value),
  String(value.jobs),
  value.createdAt.toISOString(),
  value.finishedAt?.toISOString() ?? '',
];

export async function showOneBatch(cli: Cli, id: string): Promise<ExitCode> {
  if (!(await isBatch(cli, id))) {
    throw await notFound(cli, id, 'no batch');
  }
  await showBatch(cli, id);
  return exitCodes.DONE;
}

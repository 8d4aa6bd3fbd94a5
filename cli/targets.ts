import { closest } from '../shared/did-you-mean.ts';
import { recordIdPattern } from '../shared/model/ids.ts';
import type { ExportRecord } from '../shared/model/record.ts';
import { batchListQueries, listQueries } from '../shared/store/list-queries.ts';
import { recordQueries } from '../shared/store/queries.ts';
import { isReadable, type Stored } from '../shared/store/store.ts';
import { CliError } from './cli-error.ts';
import type { Cli } from './cli.ts';
import { readable } from './records.ts';
import { printable } from './text.ts';

/** What people name: record ids, job keys, and batches mean the same to every command that takes an id. */
export type Target =
  | { readonly kind: 'RECORD'; readonly id: string; readonly record: Stored<ExportRecord> }
  /** The attempts at the jobs with this key, the latest first. */
  | { readonly kind: 'JOB'; readonly id: string; readonly attempts: readonly Stored<ExportRecord>[] }
  | { readonly kind: 'BATCH'; readonly id: string };

/** The latest attempt; undefined for a batch. */
export const recordOf = (target: Target): Stored<ExportRecord> | undefined =>
  target.kind === 'RECORD' ? target.record : target.kind === 'JOB' ? target.attempts[0] : undefined;

export async function findTarget(cli: Cli, id: string): Promise<Target | undefined> {
  const { records } = await cli.store();
  if (recordIdPattern.test(id)) {
    const record = readable(await records.get(id));
    return record && { kind: 'RECORD', id, record };
  }
  const [attempts, isKnownBatch] = await Promise.all([attemptsAt(cli, id), isBatch(cli, id)]);
  if (attempts.length > 0) {
    return { kind: 'JOB', id, attempts };
  }
  return isKnownBatch ? { kind: 'BATCH', id } : undefined;
}

/** @throws CliError NOT_FOUND, with what was probably meant */
export async function requireTarget(cli: Cli, id: string): Promise<Target> {
  const target = await findTarget(cli, id);
  if (!target) {
    throw await notFound(cli, id, 'no record, job key, or batch');
  }
  return target;
}

const MOST_ATTEMPTS = 1000;

async function attemptsAt(cli: Cli, jobKey: string): Promise<Stored<ExportRecord>[]> {
  const { records } = await cli.store();
  const found = await records.find(recordQueries.ofJobKey(jobKey), { limit: MOST_ATTEMPTS });
  return found.filter(isReadable).sort((a, b) => b.value.attempt - a.value.attempt);
}

/** A batch exists through its document, or through jobs that name it. */
export async function isBatch(cli: Cli, id: string): Promise<boolean> {
  const { batches, records } = await cli.store();
  // A document's id has no slash.
  const [batch, [job]] = await Promise.all([
    isDocumentId(id) ? batches.get(id) : undefined,
    records.find(recordQueries.ofBatch(id), { limit: 1 }),
  ]);
  return batch !== undefined || job !== undefined;
}

export const isDocumentId = (id: string): boolean => !id.includes('/') && /^[^._]/.test(id);

/** How many of the newest documents are compared with a name that is not found. */
const COMPARED = 300;

/** @param what it is not, as in `no batch` */
export async function notFound(cli: Cli, id: string, what: string): Promise<CliError> {
  const hint = await hintFor(cli, id);
  return new CliError(
    'NOT_FOUND',
    `Nothing found for ${printable(id)}: ${what}.${hint} To see what exists, run list or batch list; a new message takes a few seconds to become a record.`,
  );
}

async function hintFor(cli: Cli, id: string): Promise<string> {
  const { batches, records } = await cli.store();
  const [newest, latest] = await Promise.all([
    batches.find(batchListQueries.newest(), { limit: COMPARED }),
    records.find(listQueries.newest(), { limit: COMPARED }),
  ]);
  const runs = newest.filter((found) => isReadable(found) && found.value.batchId === id);
  if (runs.length > 0) {
    return ` Runs of ${printable(id)}: ${runs
      .slice(0, 5)
      .map((run) => run.id)
      .join(', ')}.`;
  }
  const names = [
    ...newest.map((batch) => batch.id),
    ...latest
      .filter(isReadable)
      .flatMap(({ value: { jobKey, batchId } }) => [jobKey ?? [], batchId ?? []].flat()),
  ];
  const near = closest(id, [...new Set(names)]);
  return near === undefined ? '' : ` Did you mean ${printable(near)}?`;
}

import { EarthEngineError, type Operation } from '../earth-engine-api.ts';
import { isLostOn404, lose, noteMissing } from '../record/observe.ts';
import { policyOf } from '../record/policy.ts';
import { type ActiveRecord, type ExportRecord, isActive } from '../record/record.ts';
import { settle } from '../record/write.ts';
import type { Stored } from '../store/store.ts';
import { marked } from './listing.ts';
import { noteOperation } from './operation-found.ts';
import type { Run } from './run.ts';

const GET_TIMEOUT_MS = 20_000;

/** Asks EE for one record's operation, and records what it says: the safety net under the sweep. */
export async function followOperation(run: Run, stored: Stored<ExportRecord>): Promise<void> {
  const record = stored.value;
  if (!isActive(record)) {
    return;
  }
  const operation =
    (await listedSinceMissing(run, record)) ??
    // What the sweep has just read of it is not asked for again.
    run.listings.seen(record.project, record.operation) ??
    (await getOperation(run, record));
  if (operation === undefined) {
    await operationMissing(run, stored);
    return;
  }
  const { requestId } = marked(operation) ?? record;
  const { stored: after, written } = await noteOperation(run, stored, { operation, requestId, asked: true });
  if (written && after.value.state !== record.state) {
    run.summary.changed += 1;
  }
}

async function getOperation(run: Run, record: ActiveRecord): Promise<Operation | undefined> {
  const { operation, project } = record;
  try {
    const options = { timeoutMs: GET_TIMEOUT_MS, signal: run.stopping, project };
    return await run.earthEngine.getOperation(operation, options);
  } catch (error) {
    if (error instanceof EarthEngineError && error.kind === 'NOT_FOUND') {
      return undefined;
    }
    throw error;
  }
}

/** Between the two 404s that make a record LOST, a complete list is read: the operation may be in it (rule 10). */
async function listedSinceMissing(run: Run, record: ActiveRecord): Promise<Operation | undefined> {
  if (!isLostOn404(record, policyOf(run.config), run.clock.now()) || record.missingSince === undefined) {
    return undefined;
  }
  const listing = await run.listings.since(record.project, record.missingSince).complete();
  return listing?.named(record.operation);
}

async function operationMissing(run: Run, stored: Stored<ExportRecord>): Promise<void> {
  const policy = policyOf(run.config);
  const now = run.clock.now();
  const { stored: after, written } = await settle(run, stored, (record) => {
    if (!isActive(record)) {
      return undefined;
    }
    if (isLostOn404(record, policy, now)) {
      return lose(record, policy, now);
    }
    // The first such answer counts: a later one within T must not push the decision away.
    return record.missingSince === undefined ? noteMissing(record, policy, now) : undefined;
  });
  if (written && after.value.state === 'LOST') {
    run.summary.lost += 1;
  }
}

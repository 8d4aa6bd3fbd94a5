import { EarthEngineError } from '../earth-engine/api.ts';
import { hasDueDelivery } from '../record/delivery.ts';
import { isLostOn404, lose, noteMissing } from '../record/observe.ts';
import { type ActiveRecord, type ExportRecord, isActive } from '../model/record.ts';
import { updateRecord } from '../records.ts';
import type { Stored } from '../store/store.ts';
import { marked } from '../submission/listing.ts';
import { type ObservedOperation, withName } from '../submission/listings.ts';
import { noteOperation } from '../submission/note-operation.ts';
import type { PollRun } from './poll-run.ts';

const GET_TIMEOUT_MS = 20_000;

/** Gets one record's operation from Earth Engine and records it: the safety net under the sweep. */
export async function followOperation(run: PollRun, stored: Stored<ExportRecord>): Promise<void> {
  const record = stored.value;
  if (!isActive(record)) {
    return;
  }
  const listed = await listedSinceMissing(run, record);
  if (listed === 'UNFINISHED') {
    // The record stays due: the next run reads on.
    run.log.warning('search.unfinished', { recordId: stored.id, project: record.project });
    return;
  }
  const observed = listed ?? (await observedNow(run, record));
  if (observed === undefined) {
    await operationMissing(run, stored);
    return;
  }
  const { requestId } = marked(observed.operation) ?? record;
  const found = { ...observed, requestId, wasDue: true };
  const { stored: after, written } = await noteOperation(run, stored, found);
  run.hasDeliveries ||= written && hasDueDelivery(after.value);
  if (written && after.value.state !== record.state) {
    run.summary.changed += 1;
  }
}

/** A record's operation as Earth Engine shows it now; undefined if it knows none. */
export async function observedNow(
  run: PollRun,
  record: ActiveRecord,
): Promise<ObservedOperation | undefined> {
  // If the sweep has just read it, it is not requested again.
  const seen = run.listings.seen(record.project, record.operation, record.updatedAt);
  return seen ?? getOperation(run, record);
}

async function getOperation(run: PollRun, record: ActiveRecord): Promise<ObservedOperation | undefined> {
  const { operation, project } = record;
  const asOf = run.clock.now();
  try {
    const options = { timeoutMs: GET_TIMEOUT_MS, signal: run.stopping, project };
    return { operation: await run.earthEngine.getOperation(operation, options), asOf };
  } catch (error) {
    if (error instanceof EarthEngineError && error.kind === 'NOT_FOUND') {
      return undefined;
    }
    throw error;
  }
}

/** Between the two 404s that make a record LOST, a complete list is read, which may have the operation (rule 10). */
async function listedSinceMissing(
  run: PollRun,
  record: ActiveRecord,
): Promise<ObservedOperation | undefined | 'UNFINISHED'> {
  if (!isLostOn404(record, run.policy, run.clock.now()) || record.missingSince === undefined) {
    return undefined;
  }
  const { project, operation, missingSince } = record;
  const searched = await run.listings.search(project, missingSince, withName(operation), run.ends.searches);
  if (searched === 'UNFINISHED') {
    return searched;
  }
  return 'found' in searched ? searched.found : undefined;
}

async function operationMissing(run: PollRun, stored: Stored<ExportRecord>): Promise<void> {
  const policy = run.policy;
  const now = run.clock.now();
  const { stored: after, written } = await updateRecord(run, stored, (record) => {
    if (!isActive(record)) {
      return undefined;
    }
    if (isLostOn404(record, policy, now)) {
      return lose(record, policy, now);
    }
    // The first such answer counts: a later one within T must not delay the decision.
    return record.missingSince === undefined ? noteMissing(record, policy, now) : undefined;
  });
  if (written && after.value.state === 'LOST') {
    run.summary.lost += 1;
  }
}

import pMap from 'p-map';

import { cancellationOf, cancelOperations, isToCancelAtEarthEngine } from '../cancellation/cancel-record.ts';
import { type ExportRecord, isActive } from '../model/record.ts';
import { updateRecord } from '../records.ts';
import { recordQueries } from '../store/queries.ts';
import { pages } from '../store/pages.ts';
import { isReadable, type Stored } from '../store/store.ts';
import { observedNow } from './follow.ts';
import type { PollRun } from './poll-run.ts';

/** The runaway guard: cancels running jobs that have cost more than their own `maxEecuHours`. */

const PAGE = 100;
const CONCURRENCY = 16;
const HOUR_SECONDS = 3600;

/**
 * Checks every running job with a limit, with what the sweep's list shows of it: a record's own `eecuSeconds` is written only
 * with each tenth of its progress, which a runaway may not make.
 */
export async function cancelRunaways(run: PollRun): Promise<void> {
  for await (const page of pages(run.store.records, recordQueries.runningWithLimit(), PAGE)) {
    if (run.isOver('due')) {
      return;
    }
    const checked = await pMap(page.filter(isReadable), (stored) => checkOne(run, stored), {
      concurrency: CONCURRENCY,
    });
    const cancelled = checked.filter((stored) => stored !== undefined).filter(isToCancelAtEarthEngine);
    if (cancelled.length > 0) {
      await cancelOperations(run, cancelled, run.ends.due);
    }
  }
}

/** @returns the record with its cancellation, if it is over its limit */
async function checkOne(
  run: PollRun,
  stored: Stored<ExportRecord>,
): Promise<Stored<ExportRecord> | undefined> {
  const { value: record, id } = stored;
  const { maxEecuHours, cancelRequestedAt } = record;
  if (!isActive(record) || maxEecuHours === undefined || cancelRequestedAt !== undefined) {
    return undefined;
  }
  try {
    const observed = await observedNow(run, record);
    const eecuSeconds = observed?.operation.eecuSeconds ?? record.eecuSeconds ?? 0;
    if (observed?.operation.done || eecuSeconds <= maxEecuHours * HOUR_SECONDS) {
      return undefined;
    }
    const now = run.clock.now();
    const reason = {
      status: 'EECU_LIMIT',
      message: `Canceled after ${hours(eecuSeconds)} EECU-hours, because maxEecuHours is ${maxEecuHours}.`,
    } as const;
    const { stored: after, written } = await updateRecord(run, stored, (current) =>
      isActive(current)
        ? cancellationOf({ ...current, eecuSeconds }, now, run.policy, now, reason)
        : undefined,
    );
    if (written) {
      run.log.warning('record.over_limit', { recordId: id, eecuSeconds, maxEecuHours });
    }
    return after;
  } catch (error) {
    run.summary.failed += 1;
    run.log.error('record.failed', error, { recordId: id });
    return undefined;
  }
}

const hours = (eecuSeconds: number): string => (eecuSeconds / HOUR_SECONDS).toPrecision(3);

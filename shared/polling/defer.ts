import { later } from '../clock.ts';
import { EarthEngineError } from '../earth-engine/api.ts';
import { asError, StaleWriteError } from '../errors.ts';
import { type ExportRecord, isTerminal } from '../model/record.ts';
import { defer } from '../record/transitions.ts';
import { replaceRecord } from '../records.ts';
import { type Found, isReadable } from '../store/store.ts';
import type { PollRun } from './poll-run.ts';
import { noteFailure, type Purpose } from './project-failures.ts';

/** Logs and defers a record that failed. The failure is the record's own, and the run goes on. */
export async function recordFailed(
  run: PollRun,
  found: Found<ExportRecord>,
  thrown: unknown,
  work: { readonly purpose: Purpose; readonly startedAt: Date },
): Promise<void> {
  const error = asError(thrown);
  run.summary.failed += 1;
  run.log.error('record.failed', error, { recordId: found.id });
  if (isReadable(found) && error instanceof EarthEngineError) {
    noteFailure(run, found.value.project, work.purpose, work.startedAt);
  }
  await deferRecord(run, found, error).catch((failure: unknown) =>
    run.log.error('record.not_deferred', failure, { recordId: found.id }),
  );
}

/** Otherwise a few records that fail would stay in front and hold up everything behind them forever. */
async function deferRecord(run: PollRun, found: Found<ExportRecord>, { message }: Error): Promise<void> {
  const { store, clock, config } = run;
  const now = clock.now();
  const dueAt = later(now, config.retryMaxMs);
  if (!isReadable(found)) {
    await store.records.defer(found.id, message, dueAt);
    return;
  }
  if (isTerminal(found.value)) {
    return;
  }
  try {
    await replaceRecord(run, found, defer(found.value, message, dueAt, now));
  } catch (error) {
    // Another process changed the record meanwhile; it may not be due any more.
    if (!(error instanceof StaleWriteError)) {
      throw error;
    }
  }
}

import { later } from '../clock.ts';
import { EarthEngineError } from '../earth-engine/api.ts';
import { asError, StaleWriteError } from '../errors.ts';
import { type ExportRecord, isTerminal } from '../model/record.ts';
import { setAside } from '../record/transitions.ts';
import { write } from '../records.ts';
import { type Found, isReadable } from '../store/store.ts';
import { noteTrouble, type Run } from './poll-run.ts';

/** What becomes of a record that could not be worked on: its trouble is its own, and the run goes on. */
export async function recordFailed(run: Run, found: Found<ExportRecord>, thrown: unknown): Promise<void> {
  const error = asError(thrown);
  run.summary.failed += 1;
  run.log.error('record.failed', error, { recordId: found.id });
  if (isReadable(found) && error instanceof EarthEngineError && costsTime(error)) {
    noteTrouble(run, found.value.project);
  }
  await outOfTheWay(run, found, error).catch((failure: unknown) =>
    run.log.error('record.not_set_aside', failure, { recordId: found.id }),
  );
}

/** Three bad ones in front would hold up everything behind them for ever. */
async function outOfTheWay(run: Run, found: Found<ExportRecord>, { message }: Error): Promise<void> {
  const { store, clock, config } = run;
  const now = clock.now();
  const dueAt = later(now, config.retryMaxMs);
  if (!isReadable(found)) {
    await store.records.setAside(found.id, message, dueAt);
    return;
  }
  if (isTerminal(found.value)) {
    return;
  }
  try {
    await write(run, found, setAside(found.value, message, dueAt, now));
  } catch (error) {
    // Somebody moved it on meanwhile, to where it may have nothing to be due for.
    if (!(error instanceof StaleWriteError)) {
      throw error;
    }
  }
}

/** The same will come of the project's other records, and take its time. A quick error may be this record's own. */
const costsTime = ({ kind, httpStatus }: EarthEngineError): boolean =>
  kind === 'PERMISSION' || kind === 'NOT_SENT' || httpStatus === GATEWAY_TIMEOUT;

const GATEWAY_TIMEOUT = 504;

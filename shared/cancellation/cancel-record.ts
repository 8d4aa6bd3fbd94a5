import pMap from 'p-map';

import { type Clock, later, MINUTE_MS, SECOND_MS } from '../clock.ts';
import { EarthEngineError } from '../earth-engine/api.ts';
import type { Policy } from '../record/policy.ts';
import { isProvenAbsent } from '../record/proof.ts';
import { type ActiveRecord, type ExportRecord, isActive, isTerminal } from '../model/record.ts';
import { cancelUnsent, markDue, requestCancellation } from '../record/transitions.ts';
import { updateRecord } from '../records.ts';
import type { Services } from '../services.ts';
import type { Stored } from '../store/store.ts';
import { cancelAtEarthEngine } from '../submission/note-operation.ts';

/** Cancelling single records: first what we can decide, then what Earth Engine has to be asked for. */

/**
 * When the poller looks whether a cancellation got through, if it does not see it in a sweep before: later than whoever
 * asked for it can still be at it, so that EE is not asked twice.
 */
const CHECK_AFTER_MS = 10 * MINUTE_MS;

/**
 * The record with its cancellation, by rule 8; undefined where nothing is to be written. A job that waits ends at once if
 * nothing of it can be at EE. Of one that is being sent, or may have been, the operation is cancelled by whoever finds it.
 */
export function cancellationOf(record: ExportRecord, policy: Policy, now: Date): ExportRecord | undefined {
  if (isTerminal(record)) {
    return undefined;
  }
  if (record.state === 'WAITING' && isProvenAbsent(record, policy)) {
    return cancelUnsent(record, policy, now);
  }
  if (record.cancelRequestedAt !== undefined) {
    return undefined;
  }
  const requested = requestCancellation(record, now);
  return isActive(requested)
    ? { ...requested, dueAt: earlier(requested.dueAt, later(now, CHECK_AFTER_MS)) }
    : requested;
}

const earlier = (one: Date, other: Date): Date => (one < other ? one : other);

/** Writes the cancellation of a record. What is then to be cancelled at EE is the record that comes back. */
export async function requestCancelling(
  services: Services,
  stored: Stored<ExportRecord>,
): Promise<Stored<ExportRecord>> {
  const { clock, policy } = services;
  const now = clock.now();
  const settled = await updateRecord(services, stored, (record) => cancellationOf(record, policy, now));
  return settled.stored;
}

/** Whether EE is to be asked: it has the job, goes on with it, and nobody wants it any more. */
export const isToCancelAtEarthEngine = (stored: Stored<ExportRecord>): stored is Stored<ActiveRecord> => {
  const { value } = stored;
  return isActive(value) && value.state !== 'CANCELLING' && value.cancelRequestedAt !== undefined;
};

/** A tenth of the requests that EE takes of a project, so that several of us and all else have their share. */
const CANCELS_PER_SECOND = 10;
const CANCELS_AT_ONCE = 8;
const MAX_TRIES = 3;
const FIRST_PAUSE_MS = 2 * SECOND_MS;

/**
 * Asks EE to cancel operations, within its rate. What does not get through, or not in time, is left to the poller: the
 * record says that it is to be cancelled, and falls due.
 *
 * @returns how many EE was asked for
 */
export async function cancelOperations(
  services: Services,
  records: readonly Stored<ActiveRecord>[],
  deadline: Date,
): Promise<number> {
  const { clock, log, stopping } = services;
  const pace = createPace(clock, CANCELS_PER_SECOND);
  let asked = 0;
  await pMap(
    records,
    async (stored) => {
      await pace.turn();
      if (stopping.aborted || clock.now() >= deadline) {
        return;
      }
      try {
        await cancelPatiently(services, pace, stored.value, deadline);
        asked += 1;
      } catch (error) {
        log.warning('cancellation.postponed', { recordId: stored.id, reason: String(error) });
        await updateRecord(services, stored, (record) =>
          isActive(record) && record.cancelRequestedAt !== undefined
            ? markDue(record, clock.now())
            : undefined,
        );
      }
    },
    { concurrency: CANCELS_AT_ONCE },
  );
  return asked;
}

async function cancelPatiently(
  services: Services,
  pace: Pace,
  { operation, project }: ActiveRecord,
  deadline: Date,
): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      await cancelAtEarthEngine(services, operation, project);
      return;
    } catch (error) {
      const isBusy = error instanceof EarthEngineError && error.kind === 'RATE_LIMITED';
      const pauseMs = Math.max(FIRST_PAUSE_MS * tries, (isBusy && error.retryAfterMs) || 0);
      // Not `>=`: what EE asks to be left alone for may be beyond any date, and such a moment is neither.
      const isInTime = later(services.clock.now(), pauseMs) < deadline;
      if (!isBusy || tries === MAX_TRIES || !isInTime) {
        throw error;
      }
      pace.pause(pauseMs);
      await pace.turn();
    }
  }
}

interface Pace {
  /** Resolves when the next may go. */
  turn(): Promise<void>;
  /** Nobody goes for so long. */
  pause(ms: number): void;
}

function createPace(clock: Clock, perSecond: number): Pace {
  let nextMs = 0;
  return {
    turn: async () => {
      const nowMs = clock.now().getTime();
      const atMs = Math.max(nowMs, nextMs);
      nextMs = atMs + SECOND_MS / perSecond;
      if (atMs > nowMs) {
        await clock.sleep(atMs - nowMs);
      }
    },
    pause: (ms) => {
      nextMs = Math.max(nextMs, clock.now().getTime() + ms);
    },
  };
}

import pMap from 'p-map';

import { type Clock, later, SECOND_MS } from '../clock.ts';
import { EarthEngineError } from '../earth-engine/api.ts';
import { type Policy, untilCanceled } from '../record/policy.ts';
import { isProvenAbsent } from '../record/proof.ts';
import {
  type ActiveRecord,
  type CancelReason,
  type ExportRecord,
  isActive,
  isTerminal,
} from '../model/record.ts';
import { cancelUnsent, requestCancellation } from '../record/cancellation.ts';
import { markDue } from '../record/transitions.ts';
import { updateRecord } from '../records.ts';
import type { Services } from '../services.ts';
import type { Stored } from '../store/store.ts';
import { cancelAtEarthEngine } from '../submission/note-operation.ts';

/** Cancels single records: in the store first, then at Earth Engine. */

/**
 * The record with its cancellation, by rule 8, which was published at `requestedAt`; undefined if there is nothing to write. A waiting job ends at once if it
 * cannot have an operation. If it is being sent, or may have been sent, its operation is canceled when it is found.
 */
export function cancellationOf(
  record: ExportRecord,
  requestedAt: Date,
  policy: Policy,
  now: Date,
  reason?: CancelReason,
): ExportRecord | undefined {
  if (isTerminal(record)) {
    return undefined;
  }
  if (record.state === 'WAITING' && isProvenAbsent(record, policy)) {
    const cancelRequestedAt = record.cancelRequestedAt ?? requestedAt;
    return cancelUnsent({ ...record, cancelRequestedAt }, policy, now);
  }
  if (record.cancelRequestedAt !== undefined) {
    return undefined;
  }
  const requested = requestCancellation(record, now, requestedAt, reason);
  return isActive(requested) ? { ...requested, dueAt: untilCanceled(requested.dueAt, now) } : requested;
}

/** Writes the cancellation of a record. @returns the record after it, which may have to be canceled at EE */
export async function requestCancelling(
  services: Services,
  stored: Stored<ExportRecord>,
  requestedAt: Date,
  reason?: CancelReason,
): Promise<Stored<ExportRecord>> {
  const { clock, policy } = services;
  const now = clock.now();
  const updated = await updateRecord(services, stored, (record) =>
    cancellationOf(record, requestedAt, policy, now, reason),
  );
  return updated.stored;
}

/** Whether EE must be asked to cancel: it is still working on an operation whose cancellation was requested. */
export const isToCancelAtEarthEngine = (stored: Stored<ExportRecord>): stored is Stored<ActiveRecord> => {
  const { value } = stored;
  return isActive(value) && value.state !== 'CANCELLING' && value.cancelRequestedAt !== undefined;
};

/** A tenth of the requests that EE accepts per project: several instances and other callers share that rate. */
const CANCELS_PER_SECOND = 10;
const CANCELS_AT_ONCE = 8;
const MAX_TRIES = 3;
const FIRST_PAUSE_MS = 2 * SECOND_MS;

/**
 * Asks EE to cancel operations, within its rate limit. What fails or is not reached in time is left to the poller: the record
 * stores the request, and falls due.
 *
 * @returns how many operations EE was asked to cancel
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
        await cancelWithRetries(services, pace, stored.value, deadline);
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

async function cancelWithRetries(
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
      // Not `>=`: EE's Retry-After may lead beyond the last valid date, and an invalid date compares as false.
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
  /** Resolves when the next request may be sent. */
  turn(): Promise<void>;
  /** Holds all requests for this long. */
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

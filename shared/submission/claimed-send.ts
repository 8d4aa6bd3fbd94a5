import { later } from '../clock.ts';
import { EarthEngineError, type Operation } from '../earth-engine/api.ts';
import type { Policy } from '../record/policy.ts';
import type { ExportRecord } from '../model/record.ts';
import type { Learned } from '../record/transitions.ts';
import type { Services } from '../services.ts';
import { isReadable, type Stored } from '../store/store.ts';
import type { Gate } from './gate.ts';
import type { Listings } from './listing.ts';

/** Posting a claimed record's bytes until Earth Engine answers, or the claim's time is over. */

/** Quick tries of one id within a claim: what a dropped connection or a restarting server needs, no more. */
const MAX_TRIES = 3;
const FIRST_PAUSE_MS = 500;
export interface Sending extends Services {
  readonly gate: Gate;
  readonly listings: Listings;
}

/** One holder's work on one claim. */
export interface Attempt {
  readonly sending: Sending;
  readonly policy: Policy;
  readonly token: string;
  /** Nothing is sent after this: the lease, or the time for all tries together, is over (rule 3). */
  readonly deadline: Date;
  stored: Stored<ExportRecord>;
  request: Uint8Array;
  learned: Learned;
  /** When the last send without an answer was given up: a list that started before it does not show what came of it. */
  sentUntil: Date;
}

/** Posts the bytes, again where no answer came; the answer, or the last failure. */
export async function trySending(attempt: Attempt): Promise<Operation | EarthEngineError> {
  const { sending } = attempt;
  const { clock, earthEngine, random, stopping } = sending;
  let failure: EarthEngineError | undefined;
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    if (failure) {
      const doubled = FIRST_PAUSE_MS * 2 ** (tries - 1) * (1 - random() / 2);
      const pauseMs = Math.min(Math.max(doubled, failure.retryAfterMs ?? 0), attempt.policy.retryMinMs);
      if (later(clock.now(), pauseMs) >= attempt.deadline || stopping.aborted) {
        return failure;
      }
      await clock.sleep(pauseMs, stopping).catch(() => undefined);
      // Since the last post somebody may have taken the claim over, or cancelled.
      if (stopping.aborted || !(await stillOurs(attempt))) {
        return failure;
      }
    }
    const leftMs = attempt.deadline.getTime() - clock.now().getTime();
    if (leftMs <= 0) {
      return failure ?? overdue();
    }
    // The first try leaves time for a second: a request that was lost on its way is answered by its replay.
    const timeoutMs = tries === 0 ? leftMs / 2 : leftMs;
    attempt.learned = {
      ...attempt.learned,
      sends: attempt.learned.sends + 1,
      firstSentAt: attempt.learned.firstSentAt ?? clock.now(),
    };
    try {
      return await earthEngine.startExport(attempt.stored.value.project, attempt.request, {
        timeoutMs,
        signal: stopping,
      });
    } catch (error) {
      if (!(error instanceof EarthEngineError)) {
        throw error;
      }
      failure = error;
      if (error.kind === 'UNANSWERED') {
        const { learned } = attempt;
        attempt.learned = { ...learned, unanswered: learned.unanswered + 1, searches: undefined };
        attempt.sentUntil = clock.now();
      } else if (error.kind === 'NOT_SENT') {
        attempt.learned = { ...attempt.learned, sends: attempt.learned.sends - 1 };
      } else {
        return error;
      }
    }
  }
  return failure ?? overdue();
}

/** The claim's time was over before anything was sent. */
const overdue = (): EarthEngineError =>
  new EarthEngineError('NOT_SENT', {
    message: 'The time for this claim was over before it was sent.',
    httpStatus: 504,
    status: 'DEADLINE_EXCEEDED',
    reply: 'The time for this claim was over before it was sent.',
  });

async function stillOurs(attempt: Attempt): Promise<boolean> {
  const found = await attempt.sending.store.records.get(attempt.stored.id);
  if (!found || !isReadable(found)) {
    return false;
  }
  const record = found.value;
  if (record.state !== 'SUBMITTING' || record.claim.token !== attempt.token) {
    return false;
  }
  attempt.stored = found;
  return record.cancelRequestedAt === undefined;
}

import { later } from '../clock.ts';
import { EarthEngineError, type Operation } from '../earth-engine/api.ts';
import type { Policy } from '../record/policy.ts';
import type { ExportRecord } from '../model/record.ts';
import type { SendFindings } from '../record/transitions.ts';
import type { Services } from '../services.ts';
import { isReadable, type Stored } from '../store/store.ts';
import type { Gate } from './gate.ts';
import type { Listings } from './listing.ts';

/** Posting a claimed record's bytes until Earth Engine answers, or the claim's time is over. */

/** Quick tries of one id within a claim: what a dropped connection or a restarting server needs, no more. */
const MAX_TRIES = 3;
const FIRST_PAUSE_MS = 500;
export interface SendContext extends Services {
  readonly gate: Gate;
  readonly listings: Listings;
}

/** One holder's work on one claim. */
export interface ClaimedSend {
  readonly context: SendContext;
  readonly policy: Policy;
  readonly token: string;
  /** Nothing is sent after this: the lease, or the time for all tries together, is over (rule 3). */
  readonly deadline: Date;
  stored: Stored<ExportRecord>;
  request: Uint8Array;
  findings: SendFindings;
  /** When the last send without an answer was given up: a list that started before it does not show what came of it. */
  sentUntil: Date;
}

/** Posts the bytes, again where no answer came; the answer, or the last failure. */
export async function postUntilAnswered(claim: ClaimedSend): Promise<Operation | EarthEngineError> {
  const { context } = claim;
  const { clock, earthEngine, random, stopping } = context;
  let failure: EarthEngineError | undefined;
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    if (failure) {
      const doubled = FIRST_PAUSE_MS * 2 ** (tries - 1) * (1 - random() / 2);
      const pauseMs = Math.min(Math.max(doubled, failure.retryAfterMs ?? 0), claim.policy.retryMinMs);
      if (later(clock.now(), pauseMs) >= claim.deadline || stopping.aborted) {
        return failure;
      }
      await clock.sleep(pauseMs, stopping).catch(() => undefined);
      // Since the last post somebody may have taken the claim over, or cancelled.
      if (stopping.aborted || !(await stillOurs(claim))) {
        return failure;
      }
    }
    const leftMs = claim.deadline.getTime() - clock.now().getTime();
    if (leftMs <= 0) {
      return failure ?? overdue();
    }
    // The first try leaves time for a second: a request that was lost on its way is answered by its replay.
    const timeoutMs = tries === 0 ? leftMs / 2 : leftMs;
    claim.findings = {
      ...claim.findings,
      sends: claim.findings.sends + 1,
      firstSentAt: claim.findings.firstSentAt ?? clock.now(),
    };
    try {
      return await earthEngine.startExport(claim.stored.value.project, claim.request, {
        timeoutMs,
        signal: stopping,
      });
    } catch (error) {
      if (!(error instanceof EarthEngineError)) {
        throw error;
      }
      failure = error;
      if (error.kind === 'UNANSWERED') {
        const { findings } = claim;
        claim.findings = { ...findings, unanswered: findings.unanswered + 1, searches: undefined };
        claim.sentUntil = clock.now();
      } else if (error.kind === 'NOT_SENT') {
        claim.findings = { ...claim.findings, sends: claim.findings.sends - 1 };
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

async function stillOurs(claim: ClaimedSend): Promise<boolean> {
  const found = await claim.context.store.records.get(claim.stored.id);
  if (!found || !isReadable(found)) {
    return false;
  }
  const record = found.value;
  if (record.state !== 'SUBMITTING' || record.claim.token !== claim.token) {
    return false;
  }
  claim.stored = found;
  return record.cancelRequestedAt === undefined;
}

import { later } from '../clock.ts';
import { EarthEngineError, type Operation } from '../earth-engine/api.ts';
import type { Policy } from '../record/policy.ts';
import type { ExportRecord } from '../model/record.ts';
import type { SendFindings } from '../record/transitions.ts';
import type { Services } from '../services.ts';
import { isReadable, type Stored } from '../store/store.ts';
import type { Gate } from './gate.ts';
import type { Listings } from './listings.ts';

/** Posting a claimed record's bytes until Earth Engine answers, or until the claim's time is over. */

/** Quick tries of one id within a claim: enough for a dropped connection or a server that restarts. */
const MAX_TRIES = 3;
const FIRST_PAUSE_MS = 500;

export interface SendContext extends Services {
  readonly gate: Gate;
  readonly listings: Listings;
}

/** The work of one holder on one claim. */
export interface ClaimedSend {
  readonly context: SendContext;
  readonly policy: Policy;
  readonly token: string;
  /** Nothing is sent after this: the lease is over, or the time for all tries together (rule 3). */
  readonly deadline: Date;
  stored: Stored<ExportRecord>;
  request: Uint8Array;
  findings: SendFindings;
}

/** Posts the bytes, and retries if there was no answer. Returns the operation, or the last failure. */
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
      // Since the last post, another process may have taken over the claim or requested a cancellation.
      if (stopping.aborted || !(await mayStillSend(claim))) {
        return failure;
      }
    }
    const leftMs = claim.deadline.getTime() - clock.now().getTime();
    if (leftMs <= 0) {
      return failure ?? overdue();
    }
    // The first try leaves time for a second one, which gets the answer if the first request was lost.
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
        const unanswered = claim.findings.unanswered + 1;
        claim.findings = { ...claim.findings, unanswered, sentUntil: clock.now(), searches: undefined };
      } else if (error.kind === 'NOT_SENT') {
        claim.findings = { ...claim.findings, sends: claim.findings.sends - 1 };
      } else {
        return error;
      }
    }
  }
  return failure ?? overdue();
}

const overdue = (): EarthEngineError =>
  new EarthEngineError('NOT_SENT', {
    message: 'The claim expired before the request was sent.',
    httpStatus: 504,
    status: 'DEADLINE_EXCEEDED',
    reply: 'The claim expired before the request was sent.',
  });

async function mayStillSend(claim: ClaimedSend): Promise<boolean> {
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

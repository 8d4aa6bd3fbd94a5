import { later, SECOND_MS } from '../clock.ts';
import { EarthEngineError, type Operation } from '../earth-engine/api.ts';
import type { Policy } from '../record/policy.ts';
import type { ExportRecord } from '../model/record.ts';
import type { SendFindings } from '../record/transitions.ts';
import type { Services } from '../services.ts';
import { isReadable, type Stored } from '../store/store.ts';
import type { Gate } from './gate.ts';
import type { Listings } from './listings.ts';

/** Posting a claimed record's bytes until Earth Engine answers, or until the claim's time is over. */

/** Quick tries of one id within a claim: enough for a dropped connection, a server that restarts, or a few 429s. */
const MAX_TRIES = 3;
const FIRST_PAUSE_MS = 500;
/** A claim that has waited this long for its turn is read again before it is sent. */
const CHECK_AFTER_MS = SECOND_MS;

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

/**
 * Posts the bytes when it is their turn, and retries if there was no answer, or a 429. Returns the operation, or the last
 * failure.
 */
export async function postUntilAnswered(claim: ClaimedSend): Promise<Operation | EarthEngineError> {
  const { context } = claim;
  const { clock, earthEngine, gate, stopping } = context;
  const { project } = claim.stored.value;
  let failure: EarthEngineError | undefined;
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    if (failure && !(await pause(claim, failure, tries))) {
      return failure;
    }
    const askedAt = clock.now();
    const turn = await gate.pace(project).turn(claim.deadline, stopping);
    if (turn === undefined) {
      return failure ?? notInTime(claim);
    }
    // Since it was claimed or posted, another process may have taken over the claim or requested a cancellation.
    const isOld = failure !== undefined || clock.now().getTime() - askedAt.getTime() > CHECK_AFTER_MS;
    const mayPost = !isOld || (await mayStillSend(claim));
    const leftMs = claim.deadline.getTime() - clock.now().getTime();
    if (!mayPost || leftMs <= 0) {
      const expired = unsent('The claim expired');
      turn.end(expired);
      return failure ?? expired;
    }
    // The first try leaves time for a second one, which gets the answer if the first request was lost.
    const timeoutMs = tries === 0 ? leftMs / 2 : leftMs;
    claim.findings = { ...claim.findings, sends: claim.findings.sends + 1 };
    try {
      const options = { timeoutMs, signal: stopping };
      const operation = await earthEngine.startExport(project, claim.request, options);
      turn.end();
      return operation;
    } catch (error) {
      turn.end(error);
      if (!(error instanceof EarthEngineError)) {
        throw error;
      }
      failure = error;
      if (error.kind === 'UNANSWERED') {
        const unanswered = claim.findings.unanswered + 1;
        claim.findings = { ...claim.findings, unanswered, sentUntil: clock.now(), searches: undefined };
      } else if (error.kind === 'NOT_SENT') {
        claim.findings = { ...claim.findings, sends: claim.findings.sends - 1 };
      } else if (error.kind === 'RATE_LIMITED') {
        await gate.sharePace(project);
      } else {
        return error;
      }
    }
  }
  return failure ?? unsent('The claim expired');
}

/** Waits before the next try; false if there is no time for it. The turn that follows is wait enough after a 429. */
async function pause(claim: ClaimedSend, failure: EarthEngineError, tries: number): Promise<boolean> {
  const { clock, random, stopping } = claim.context;
  if (failure.kind === 'RATE_LIMITED') {
    return !stopping.aborted;
  }
  const doubled = FIRST_PAUSE_MS * 2 ** (tries - 1) * (1 - random() / 2);
  const pauseMs = Math.min(Math.max(doubled, failure.retryAfterMs ?? 0), claim.policy.retryMinMs);
  if (later(clock.now(), pauseMs) >= claim.deadline || stopping.aborted) {
    return false;
  }
  await clock.sleep(pauseMs, stopping).catch(() => undefined);
  return !stopping.aborted;
}

/**
 * Why a claim gets no turn. If that is because of the rate, the job waits as after a 429. The gate must close if the pause is
 * long: otherwise the next job would be claimed for nothing, and the same ones again as long as the run lasts.
 */
function notInTime({ context, deadline, stored }: ClaimedSend): EarthEngineError {
  if (context.stopping.aborted) {
    return unsent('The process stopped');
  }
  if (context.clock.now() >= deadline) {
    return unsent('The claim expired');
  }
  const message =
    'The request was not sent, because Earth Engine refuses calls of its project for their rate.';
  return new EarthEngineError('RATE_LIMITED', {
    message,
    httpStatus: 429,
    status: 'RESOURCE_EXHAUSTED',
    reply: message,
    retryAfterMs: context.gate.pace(stored.value.project).waitMs(),
  });
}

function unsent(reason: string): EarthEngineError {
  const message = `${reason} before the request was sent.`;
  return new EarthEngineError('NOT_SENT', {
    message,
    httpStatus: 504,
    status: 'DEADLINE_EXCEEDED',
    reply: message,
  });
}

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

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import type { CallKind, Fault } from '../../infra/local/simulator/index.ts';
import { pushBody, smallJob } from '../harness.ts';
import { createRig, post, type Rig } from './rig.ts';

/** Cloud Run waits ten seconds between SIGTERM and SIGKILL. */
const STOP_LIMIT_MS = 9_500;

let rig: Rig;
/** What Earth Engine does with the next exports. */
let fault: Fault | undefined;
/** How many exports have reached Earth Engine, and the number that a test awaits. */
let reaching: { count: number; readonly awaited: number; readonly reached: () => void } | undefined;

beforeAll(async () => {
  rig = await createRig('stop', {
    onRequest: (_request, call) => {
      noteCall(call);
      return call === 'export' ? fault : undefined;
    },
  });
});
afterAll(async () => rig?.[Symbol.asyncDispose]());
beforeEach(() => {
  fault = undefined;
});

function noteCall(call: CallKind): void {
  if (call !== 'export' || reaching === undefined) {
    return;
  }
  reaching.count += 1;
  if (reaching.count === reaching.awaited) {
    reaching.reached();
  }
}

/** Resolves when this many export requests have reached Earth Engine. */
function exportsReached(awaited: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  reaching = { count: 0, awaited, reached: resolve };
  return promise;
}

const push = (jobKey: string): object => pushBody({ data: smallJob({ jobKey }) });

describe('submitExport on SIGTERM', () => {
  it('finishes the exports that Earth Engine starts in time, and accepts no new message', async () => {
    const submit = await rig.start('submitExport');
    fault = { kind: 'slow', ms: 2000 };
    const reached = exportsReached(2);
    const answers = [post(submit.url, push('slow/1')), post(submit.url, push('slow/2'))];
    await reached;
    submit.kill('SIGTERM');
    // The process still accepts messages until the signal arrives.
    expect(await untilNotAccepted(submit.url)).toBe(503);
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([204, 204]);
    expect(await submit.exited).toMatchObject({ code: 0 });
    expect(await rig.recordOf('slow/1')).toMatchObject({ state: 'PENDING', submissions: 1 });
    expect(await rig.recordOf('slow/2')).toMatchObject({ state: 'PENDING', submissions: 1 });
  });

  it('records exports without a response as unanswered, and the poller sends them again', async () => {
    const submit = await rig.start('submitExport');
    fault = { kind: 'silence', worked: true };
    const reached = exportsReached(2);
    const answers = [post(submit.url, push('silent/1')), post(submit.url, push('silent/2'))];
    await reached;
    const signaledAt = Date.now();
    submit.kill('SIGTERM');
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([204, 204]);
    expect(await submit.exited).toMatchObject({ code: 0 });
    expect(Date.now() - signaledAt).toBeLessThan(STOP_LIMIT_MS);
    for (const jobKey of ['silent/1', 'silent/2']) {
      const record = await rig.recordOf(jobKey);
      expect(record).toMatchObject({ state: 'WAITING', waitingFor: 'SERVICE', unanswered: 1 });
      expect('dueAt' in record && record.dueAt?.getTime()).toBeLessThanOrEqual(Date.now());
    }

    fault = undefined;
    const poll = await rig.start('pollExports');
    expect((await post(poll.url, '')).status).toBe(200);
    for (const jobKey of ['silent/1', 'silent/2']) {
      expect(await rig.recordOf(jobKey)).toHaveProperty('operation');
    }
    expect(rig.simulator.operations().filter(({ requestId }) => requestId !== undefined)).toHaveLength(4);
  });

  it('ignores a second signal', async () => {
    const submit = await rig.start('submitExport');
    const reached = exportsReached(1);
    fault = { kind: 'slow', ms: 500 };
    const answer = post(submit.url, push('twice/1'));
    await reached;
    submit.kill('SIGTERM');
    submit.kill('SIGINT');
    expect((await answer).status).toBe(204);
    expect(await submit.exited).toMatchObject({ code: 0 });
  });
});

describe('pollExports on SIGTERM', () => {
  it('returns what it did, and leaves unanswered sends due', async () => {
    const submit = await rig.start('submitExport', { RETRY_MIN_SECONDS: '0.1' });
    fault = { kind: 'status', status: 503 };
    expect((await post(submit.url, push('poll/1'))).status).toBe(204);
    expect(await rig.recordOf('poll/1')).toMatchObject({ state: 'WAITING', unanswered: 3 });

    const poll = await rig.start('pollExports');
    fault = { kind: 'silence' };
    const run = await pollUntil(poll.url, exportsReached(1));
    const signaledAt = Date.now();
    poll.kill('SIGTERM');
    const { status } = await run.answered;
    expect(status).toBe(200);
    expect(await poll.exited).toMatchObject({ code: 0 });
    expect(Date.now() - signaledAt).toBeLessThan(STOP_LIMIT_MS);
    const record = await rig.recordOf('poll/1');
    expect(record).toMatchObject({ state: 'WAITING', unanswered: 4 });
    expect('dueAt' in record && record.dueAt?.getTime()).toBeLessThanOrEqual(Date.now());
  });
});

/** Sends requests that are rejected with 400 until the process responds differently. */
async function untilNotAccepted(url: string): Promise<number> {
  for (;;) {
    const { status } = await post(url, 'not an envelope', { 'content-type': 'text/plain' });
    if (status !== 400) {
      return status;
    }
  }
}

/** Polls until `reached` resolves during a run: the deferred record is due only after a moment. */
async function pollUntil(url: string, reached: Promise<void>): Promise<{ answered: Promise<Response> }> {
  for (;;) {
    const answered = post(url, '');
    const first = await Promise.race([reached.then(() => 'REACHED' as const), answered]);
    if (first === 'REACHED') {
      return { answered };
    }
  }
}

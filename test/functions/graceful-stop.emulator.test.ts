import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import type { CallKind, Fault } from '../../infra/local/simulator/index.ts';
import type { ExportRecord } from '../../shared/model/record.ts';
import { isReadable } from '../../shared/store/store.ts';
import { pushBody, smallJob } from '../harness.ts';
import { createRig, post, type Rig } from './rig.ts';

/** Cloud Run gives ten seconds from SIGTERM to SIGKILL. */
const STOP_LIMIT_MS = 9_500;

let rig: Rig;
/** What Earth Engine does with the next calls, and who waits for how many of them. */
let fault: Fault | undefined;
let heard: { count: number; readonly enough: number; readonly arrived: () => void } | undefined;

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
  if (call !== 'export' || heard === undefined) {
    return;
  }
  heard.count += 1;
  if (heard.count === heard.enough) {
    heard.arrived();
  }
}

/** Resolves when so many export requests have reached Earth Engine. */
function exportsReached(enough: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  heard = { count: 0, enough, arrived: resolve };
  return promise;
}

const push = (jobKey: string): object => pushBody({ data: smallJob({ jobKey }) });

async function recordOf(jobKey: string): Promise<ExportRecord> {
  const query = { where: [['jobKey', '==', jobKey]], orderBy: [] } as const;
  const [found] = await rig.store.records.find(query, { limit: 1 });
  if (!found || !isReadable(found)) {
    throw new Error(`no record of ${jobKey}`);
  }
  return found.value;
}

describe('submitExport, told to stop', () => {
  it('finishes what Earth Engine answers in time, and takes nothing new', async () => {
    const submit = await rig.start('submitExport');
    fault = { kind: 'slow', ms: 2000 };
    const reached = exportsReached(2);
    const answers = [post(submit.url, push('slow/1')), post(submit.url, push('slow/2'))];
    await reached;
    submit.kill('SIGTERM');
    // Until SIGTERM has arrived there, it still takes work.
    const refused = await untilRefused(submit.url);
    expect(refused).toBe(503);
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([204, 204]);
    expect(await submit.exited).toMatchObject({ code: 0 });
    expect(await recordOf('slow/1')).toMatchObject({ state: 'PENDING', submissions: 1 });
    expect(await recordOf('slow/2')).toMatchObject({ state: 'PENDING', submissions: 1 });
  });

  it('hands over what Earth Engine does not answer, and it is sent again by the poller', async () => {
    const submit = await rig.start('submitExport');
    fault = { kind: 'silence', worked: true };
    const reached = exportsReached(2);
    const answers = [post(submit.url, push('silent/1')), post(submit.url, push('silent/2'))];
    await reached;
    const toldAt = Date.now();
    submit.kill('SIGTERM');
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([204, 204]);
    expect(await submit.exited).toMatchObject({ code: 0 });
    expect(Date.now() - toldAt).toBeLessThan(STOP_LIMIT_MS);
    for (const jobKey of ['silent/1', 'silent/2']) {
      const record = await recordOf(jobKey);
      expect(record).toMatchObject({ state: 'WAITING', waitingFor: 'SERVICE', unanswered: 1 });
      expect('dueAt' in record && record.dueAt.getTime()).toBeLessThanOrEqual(Date.now());
    }

    fault = undefined;
    const poll = await rig.start('pollExports');
    expect((await post(poll.url, '')).status).toBe(200);
    for (const jobKey of ['silent/1', 'silent/2']) {
      expect(await recordOf(jobKey)).toHaveProperty('operation');
    }
    expect(rig.simulator.operations().filter(({ requestId }) => requestId !== undefined)).toHaveLength(4);
  });

  it('is not hurried by being told twice', async () => {
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

describe('pollExports, told to stop', () => {
  it('answers with what it did, and leaves due what Earth Engine did not answer', async () => {
    const submit = await rig.start('submitExport', { RETRY_MIN_SECONDS: '0.1' });
    fault = { kind: 'status', status: 503 };
    expect((await post(submit.url, push('poll/1'))).status).toBe(204);
    expect(await recordOf('poll/1')).toMatchObject({ state: 'WAITING', unanswered: 3 });

    const poll = await rig.start('pollExports');
    fault = { kind: 'silence' };
    const run = await pollUntil(poll.url, exportsReached(1));
    const toldAt = Date.now();
    poll.kill('SIGTERM');
    const { status } = await run.answered;
    expect(status).toBe(200);
    expect(await poll.exited).toMatchObject({ code: 0 });
    expect(Date.now() - toldAt).toBeLessThan(STOP_LIMIT_MS);
    const record = await recordOf('poll/1');
    expect(record).toMatchObject({ state: 'WAITING', unanswered: 4 });
    expect('dueAt' in record && record.dueAt.getTime()).toBeLessThanOrEqual(Date.now());
  });
});

/** Asks for nothing in particular until the process says that it takes no more. */
async function untilRefused(url: string): Promise<number> {
  for (;;) {
    const { status } = await post(url, 'not an envelope', { 'content-type': 'text/plain' });
    if (status !== 400) {
      return status;
    }
  }
}

/** Polls until a run is under way in which `reached` came about: the record falls due a moment after it was put off. */
async function pollUntil(url: string, reached: Promise<void>): Promise<{ answered: Promise<Response> }> {
  for (;;) {
    const answered = post(url, '');
    const first = await Promise.race([reached.then(() => 'REACHED' as const), answered]);
    if (first === 'REACHED') {
      return { answered };
    }
  }
}

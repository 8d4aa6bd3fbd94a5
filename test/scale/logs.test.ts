import { describe, expect, it } from 'vitest';

import { simulatorFetch } from '../../infra/local/simulator/index.ts';
import { createEarthEngine } from '../../shared/earth-engine/client.ts';
import { createLog, traceFields } from '../../shared/log.ts';
import { type Instance, createHarness, smallJob } from '../harness.ts';

const MINUTE_MS = 60_000;
const TRACE = '0af7651916cd43dd8448eb211c80319c';

/** In the graph, in a label, in the data of a message: these must not be in any line. */
const SECRETS = ['SECRET-GRAPH', 'SECRET-LABEL', 'SECRET-DATA', 'SECRET-TOKEN'];

function secretJob(jobKey: string, request: Record<string, unknown> = {}): Record<string, unknown> {
  return smallJob(
    { jobKey, labels: { team: 'SECRET-LABEL' } },
    {
      expression: {
        result: '0',
        values: {
          '0': {
            functionInvocationValue: {
              functionName: 'ImageCollection.load',
              arguments: { id: { constantValue: 'SECRET-GRAPH' } },
            },
          },
        },
      },
      ...request,
    },
  );
}

/** The lines of a run in which everything goes wrong once. */
async function logEveryFailure() {
  const lines: string[] = [];
  const start = new Date('2026-11-23T12:00:00Z');
  const log = createLog(
    (line) => lines.push(line),
    () => start,
  ).with(traceFields('demo-test', `00-${TRACE}-b7ad6b7169203331-01`));
  const harness = createHarness({ log });
  const { simulator, clock } = harness;
  const authorised: Instance = harness.instance((services) => ({
    ...services,
    earthEngine: createEarthEngine({
      url: 'http://earth-engine.test',
      fetch: simulatorFetch(simulator),
      auth: {
        token: async () => 'SECRET-TOKEN',
        drop: () => {},
        serviceAccount: async () => 'exports@demo-test.iam.gserviceaccount.com',
      },
    }),
  }));
  const submit = (jobKey: string, request?: Record<string, unknown>) =>
    authorised.submit({ data: secretJob(jobKey, request) });

  await submit('good');
  await submit('good');
  await submit('good', { description: 'another' });
  await authorised.submit({ data: 'SECRET-DATA {' });
  await authorised.submit({ data: { ...secretJob('bad'), extra: 'SECRET-DATA' } });
  await submit('bad', { videoOptions: { framesPerSecond: 'SECRET-DATA' } });
  for (const status of [400, 401, 403, 429, 500, 503]) {
    simulator.failNext('export', { kind: 'status', status, message: `answer ${status}` }, 3);
    await submit(`status/${status}`);
    clock.advance(20 * MINUTE_MS);
  }
  for (const kind of ['html', 'reset', 'lost'] as const) {
    simulator.failNext('export', { kind }, 3);
    await submit(kind);
    clock.advance(20 * MINUTE_MS);
  }
  simulator.failNext('export', { kind: 'garbled', body: '<SECRET-DATA>' }, 3);
  await submit('garbled');
  simulator.failNext('list', { kind: 'status', status: 500 }, 2);
  simulator.failNext('get', { kind: 'status', status: 500 }, 2);
  harness.publisher.failing = true;
  await authorised.poll();
  harness.publisher.failing = false;
  for (let poll = 0; poll < 60; poll += 1) {
    clock.advance(10 * MINUTE_MS);
    await authorised.poll();
  }
  return lines;
}

describe('logs', () => {
  it('are one JSON object per line, each with severity, event, time, and the request that it belongs to', async () => {
    const lines = await logEveryFailure();
    expect(lines.length).toBeGreaterThan(100);
    for (const line of lines) {
      expect(line).not.toContain('\n');
      expect(JSON.parse(line)).toMatchObject({
        severity: expect.stringMatching(/^(?:DEBUG|INFO|WARNING|ERROR)$/) as string,
        event: expect.stringMatching(/^[a-z]+(?:\.[a-z_]+)+$/) as string,
        time: expect.stringMatching(/^\d{4}-.*Z$/) as string,
        'logging.googleapis.com/trace': `projects/demo-test/traces/${TRACE}`,
      });
    }
  });

  it('have the record id in every line about a record', async () => {
    const lines = (await logEveryFailure()).map((line) => JSON.parse(line) as Record<string, unknown>);
    const about = /^(?:record|submit|event)\./;
    const ofRecords = lines.filter(({ event }) => about.test(String(event)));
    expect(ofRecords.length).toBeGreaterThan(30);
    for (const line of ofRecords) {
      expect(line, JSON.stringify(line)).toHaveProperty('recordId');
    }
  });

  it('report a run in one line, with its counts', async () => {
    const lines = (await logEveryFailure()).map((line) => JSON.parse(line) as Record<string, unknown>);
    const runs = lines.filter(({ event }) => event === 'poll.finished');
    expect(runs).toHaveLength(61);
    for (const count of [
      'due',
      'changed',
      'submitted',
      'waiting',
      'rejected',
      'lost',
      'failed',
      'remaining',
    ]) {
      expect(typeof runs[0]?.[count]).toBe('number');
    }
  });

  it('contain no expression, label, message body, or token', async () => {
    const text = (await logEveryFailure()).join('\n');
    for (const secret of SECRETS) {
      expect(text).not.toContain(secret);
    }
  });
});

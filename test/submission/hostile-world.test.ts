import { describe, expect, it } from 'vitest';

import { cancelExports } from '../../shared/cancellation/cancel-exports.ts';
import { later, MINUTE_MS, SECOND_MS } from '../../shared/clock.ts';
import { type EarthEngine, EarthEngineError } from '../../shared/earth-engine/api.ts';
import { recordIdOf } from '../../shared/model/ids.ts';
import type { Services } from '../../shared/services.ts';
import { changeStatus } from '../../shared/submission/gate.ts';
import {
  createHarness,
  envelopeOf,
  type Harness,
  queueFull as queueFullFault,
  simulatedEarthEngine,
  smallJob,
} from '../harness.ts';
import { refusal } from './rules-world.ts';

/** What Earth Engine, a damaged document, or another process can do, and what must not result from it. */

const idOf = (jobKey: string, project = 'demo-test') => recordIdOf({ project, jobKey, attempt: 1 });

const fast = { pendingMs: 0, startsPerSecond: 100, concurrency: 10 };
const endless = { ...fast, runMs: [1e9, 1e9] } as const;

const withEarthEngine =
  (change: (earthEngine: EarthEngine) => Partial<EarthEngine>) =>
  (services: Services): Services => ({
    ...services,
    earthEngine: { ...services.earthEngine, ...change(services.earthEngine) },
  });

/** Earth Engine accepts the request, and its answer is lost. */
const losingAnswers = withEarthEngine((earthEngine) => ({
  startExport: async (...call) => {
    await earthEngine.startExport(...call);
    throw refusal('UNANSWERED', 503);
  },
}));

const queueFull = () =>
  new EarthEngineError('QUEUE_FULL', { message: 'full', httpStatus: 400, status: 'FULL', reply: 'full' });

async function pollFor(
  { clock }: Harness,
  instance: { poll(): Promise<unknown> },
  minutes: number,
): Promise<void> {
  for (let passed = 0; passed < minutes; passed += 1) {
    clock.advance(MINUTE_MS);
    await instance.poll();
  }
}

/** Jobs that wait behind a closed gate, in this order. */
async function behindAClosedGate(harness: Harness, ...jobKeys: string[]): Promise<void> {
  harness.simulator.failNext('export', queueFullFault);
  for (const jobKey of jobKeys) {
    await harness.submit({ data: smallJob({ jobKey }) });
    expect(await harness.record(idOf(jobKey))).toMatchObject({ state: 'WAITING', waitingFor: 'QUEUE' });
    harness.clock.advance(1);
  }
}

describe('if Earth Engine drops the marker,', () => {
  const settings = { ...endless, omitDescription: true };

  it('a canceled job that may be running does not become CANCELLED', async () => {
    const harness = createHarness({ simulator: { settings } });
    await harness.submit({ data: smallJob({ jobKey: 'seen without a marker' }) });
    await harness.instance(losingAnswers).submit({ data: smallJob({ jobKey: 'A' }) });
    await cancelExports(harness.services, envelopeOf({ data: { jobKey: 'A' } }));
    await pollFor(harness, harness, 120);
    expect(await harness.record(idOf('A'))).toMatchObject({ state: 'WAITING', waitingFor: 'ADOPTION' });
  });

  it('a job that is refused after a lost answer does not become REJECTED', async () => {
    const harness = createHarness({ simulator: { settings } });
    await harness.submit({ data: smallJob({ jobKey: 'seen without a marker' }) });
    harness.simulator.failNext('export', { kind: 'lost' });
    harness.simulator.failNext('export', { kind: 'status', status: 400, message: 'no such thing' });
    await harness.submit({ data: smallJob({ jobKey: 'A' }) });
    await pollFor(harness, harness, 120);
    expect(await harness.record(idOf('A'))).toMatchObject({ state: 'WAITING', rejecting: true });
  });

  it('another service account does not send a job that the first may have started', async () => {
    const tokens = { 'a@demo': 'a@demo', 'b@demo': 'b@demo' };
    const harness = createHarness({ simulator: { settings: { ...settings, tokens } } });
    const as = (account: string) => (services: Services) => ({
      ...services,
      earthEngine: simulatedEarthEngine(harness.simulator, harness.clock, account),
    });
    const first = harness.instance(as('a@demo'));
    await first.submit({ data: smallJob({ jobKey: 'seen without a marker' }) });
    await harness
      .instance((services) => losingAnswers(as('a@demo')(services)))
      .submit({ data: smallJob({ jobKey: 'A' }) });
    await pollFor(harness, harness.instance(as('b@demo')), 120);
    expect(harness.simulator.operations().map(({ identity }) => identity)).toEqual(['a@demo', 'a@demo']);
    // The account that sent it returns: Earth Engine answers with the operation that it started.
    await pollFor(harness, first, 30);
    expect(await harness.record(idOf('A'))).toMatchObject({
      state: 'RUNNING',
      operation: harness.simulator.operations()[1]?.name,
    });
  });
});

describe('rule 14: the gate is not kept closed by', () => {
  it('a record that fails: the second one is tried in the same run', async () => {
    const harness = createHarness({ simulator: { settings: endless } });
    await behindAClosedGate(harness, 'A', 'B');
    const damaged = harness.instance((services) => {
      const { records } = services.store;
      const readRequest = async (id: string) => {
        if (id === idOf('A')) {
          throw new Error('its parts are damaged');
        }
        return records.readRequest(id);
      };
      return { ...services, store: { ...services.store, records: { ...records, readRequest } } };
    });
    await pollFor(harness, damaged, 1);
    expect(await harness.record(idOf('B'))).toHaveProperty('operation');
    expect(await harness.record(idOf('A'))).toMatchObject({
      state: 'WAITING',
      waitingFor: 'SERVICE',
      error: { status: 'DEFERRED', message: 'its parts are damaged' },
    });
  });

  it('a record that fails and cannot be deferred', async () => {
    const harness = createHarness({ simulator: { settings: endless } });
    await behindAClosedGate(harness, 'A', 'B');
    const stuck = harness.instance((services) => {
      const { records } = services.store;
      const replace: typeof records.replace = async (stored, ...next) => {
        if (stored.id === idOf('A')) {
          throw new Error('the document is too large');
        }
        return records.replace(stored, ...next);
      };
      return { ...services, store: { ...services.store, records: { ...records, replace } } };
    });
    await pollFor(harness, stuck, 1);
    expect((await harness.record(idOf('A'))).state).toBe('WAITING');
    expect(await harness.record(idOf('B'))).toHaveProperty('operation');
  });

  it('a record that must be searched for while lists fail', async () => {
    const harness = createHarness({ simulator: { settings: endless } });
    let posts = 0;
    const first = harness.instance(
      withEarthEngine(() => ({
        startExport: async () => {
          posts += 1;
          throw posts === 1 ? refusal('UNANSWERED', 503) : queueFull();
        },
      })),
    );
    await first.submit({ data: smallJob({ jobKey: 'A' }) });
    expect(await harness.record(idOf('A'))).toMatchObject({ waitingFor: 'QUEUE', unanswered: 1 });
    await first.submit({ data: smallJob({ jobKey: 'B' }) });
    const unlisted = harness.instance(
      withEarthEngine(() => ({
        listOperations: async () => {
          throw refusal('UNANSWERED', 503);
        },
      })),
    );
    await pollFor(harness, unlisted, 1);
    expect(await harness.record(idOf('B'))).toHaveProperty('operation');
  });
});

describe('a list without an end', () => {
  it('takes at most half of a run’s time, and other projects’ jobs continue', async () => {
    const environment = { ALLOWED_PROJECTS: '*' };
    const harness = createHarness({ environment, simulator: { settings: endless } });
    const dying = harness.instance(
      withEarthEngine(() => ({
        startExport: async () => {
          throw new Error('the process died');
        },
      })),
    );
    for (const project of ['endless', 'other']) {
      const data = smallJob({ project });
      await expect(dying.submit({ data })).rejects.toThrow('died');
    }
    let pages = 0;
    const paging = harness.instance(
      withEarthEngine((earthEngine) => ({
        listOperations: async (...call) => {
          if (call[0] !== 'endless') {
            return earthEngine.listOperations(...call);
          }
          pages += 1;
          harness.clock.advance(10 * SECOND_MS);
          return { operations: [], nextPageToken: `page ${pages}` };
        },
      })),
    );
    harness.clock.advance(3 * MINUTE_MS);
    await paging.poll();
    expect(pages).toBe(12);
    expect(await harness.record(idOf('test/1', 'other'))).toHaveProperty('operation');
    expect(await harness.record(idOf('test/1', 'endless'))).toMatchObject({
      state: 'WAITING',
      waitingFor: 'ADOPTION',
      submissions: 0,
    });
  });
});

describe('damaged request bytes', () => {
  const damaged = (services: Services): Services => {
    const readRequest = async () => {
      throw new Error('its parts are damaged');
    };
    const records = { ...services.store.records, readRequest };
    return { ...services, store: { ...services.store, records } };
  };

  it('defer the record: nothing is claimed, searched for, or counted as sent', async () => {
    const harness = createHarness({ simulator: { settings: { ...fast, queueLimit: 0 } } });
    await harness.submit({ data: smallJob({ jobKey: 'A' }) });
    harness.simulator.set({ queueLimit: 100 });
    const polls = harness.instance(damaged);
    await pollFor(harness, polls, 600);
    expect(await harness.record(idOf('A'))).toMatchObject({
      state: 'WAITING',
      error: { message: 'its parts are damaged' },
      submissions: 1,
      unanswered: 0,
    });
    expect(harness.simulator.counters().calls).toMatchObject({ export: 1, list: 0 });
  });

  it('do not keep a canceled job from ending', async () => {
    const harness = createHarness({ simulator: { settings: fast } });
    harness.simulator.failNext('export', { kind: 'reset' }, 3);
    await harness.submit({ data: smallJob({ jobKey: 'A' }) });
    await cancelExports(harness.services, envelopeOf({ data: { jobKey: 'A' } }));
    await pollFor(harness, harness.instance(damaged), 30);
    expect((await harness.record(idOf('A'))).state).toBe('CANCELLED');
  });
});

describe('a gate that another instance closes', () => {
  it('stops a poller that feeds the queue within five seconds', async () => {
    // So that, as in production, only as many calls are in flight as the rate allows.
    const environment = { EARTHENGINE_REQUESTS_PER_SECOND: '10' };
    const harness = createHarness({ environment, simulator: { settings: endless } });
    const jobs = Array.from({ length: 60 }, (_, n) => `job ${n}`);
    await behindAClosedGate(harness, ...jobs);
    let started = 0;
    let startedAfter = 0;
    let isClosed = false;
    const feeding = harness.instance(
      withEarthEngine((earthEngine) => ({
        startExport: async (...call) => {
          started += 1;
          startedAfter += isClosed ? 1 : 0;
          harness.clock.advance(SECOND_MS);
          if (started === 10) {
            const now = harness.clock.now();
            await changeStatus(harness.services, 'demo-test', (status) => ({
              ...status,
              closedUntil: later(now, 10 * MINUTE_MS),
            }));
            isClosed = true;
          }
          return earthEngine.startExport(...call);
        },
      })),
    );
    await pollFor(harness, feeding, 1);
    expect(started).toBeGreaterThanOrEqual(10);
    // Each takes a second: those until the gate is read again, and those in progress by then.
    expect(startedAfter).toBeLessThanOrEqual(13);
  });
});

describe('a record that ends while a failing poller works on it', () => {
  it('is not due any more', async () => {
    const harness = createHarness({ simulator: { settings: fast } });
    harness.simulator.failNext('export', { kind: 'status', status: 403, message: 'denied' });
    await harness.submit({ data: smallJob({ jobKey: 'A' }) });
    const failing = harness.instance((services) => {
      const { records } = services.store;
      // Another poller ends it between this one's read and its write.
      const get: typeof records.get = async (id) => {
        const found = await records.get(id);
        await harness.untilQuiet();
        return found;
      };
      const replace: typeof records.replace = async (...write) => {
        await harness.untilQuiet();
        return records.replace(...write);
      };
      const serviceAccount = async () => {
        throw new Error('an unexpected error');
      };
      return {
        ...services,
        store: { ...services.store, records: { ...records, get, replace } },
        earthEngine: { ...services.earthEngine, serviceAccount },
      };
    });
    await pollFor(harness, failing, 20);
    expect((await harness.record(idOf('A'))).state).toBe('SUCCEEDED');
    const due = await harness.store.records.find(
      { where: [['dueAt', '<=', new Date(8e15)]], orderBy: [['dueAt', 'asc']] },
      { limit: 10 },
    );
    expect(due).toEqual([]);
  });
});

describe('if the service account cannot be looked up', () => {
  const nameless = withEarthEngine(() => ({
    serviceAccount: async () => {
      throw new EarthEngineError('NOT_SENT', {
        message: 'the metadata server does not answer',
        httpStatus: 503,
        status: 'UNAVAILABLE',
        reply: '',
      });
    },
  }));

  it('the job waits, and continues later', async () => {
    const harness = createHarness({ simulator: { settings: fast } });
    const instance = harness.instance(nameless);
    expect(await instance.submit({ data: smallJob({ jobKey: 'A' }) })).toMatchObject({ outcome: 'QUEUED' });
    await pollFor(harness, instance, 60);
    expect(await harness.record(idOf('A'))).toMatchObject({
      state: 'WAITING',
      waitingFor: 'SERVICE',
      submissions: 0,
      unanswered: 0,
    });
    await harness.untilQuiet();
    expect((await harness.record(idOf('A'))).state).toBe('SUCCEEDED');
    expect(harness.simulator.counters().calls.export).toBe(1);
  });

  it('for SUBMIT_DEADLINE_HOURS, the job is rejected', async () => {
    const harness = createHarness({ environment: { SUBMIT_DEADLINE_HOURS: '1' } });
    const instance = harness.instance(nameless);
    await instance.submit({ data: smallJob({ jobKey: 'A' }) });
    await pollFor(harness, instance, 100);
    expect(await harness.record(idOf('A'))).toMatchObject({
      state: 'REJECTED',
      error: { status: 'SUBMIT_DEADLINE' },
    });
  });
});

describe('the reason of a rejection', () => {
  it('is Earth Engine’s refusal, even if lists failed meanwhile', async () => {
    const harness = createHarness({ simulator: { settings: fast } });
    harness.simulator.failNext('export', { kind: 'reset' });
    harness.simulator.failNext('export', { kind: 'status', status: 400, message: 'no such band' });
    await harness.submit({ data: smallJob({ jobKey: 'A' }) });
    harness.simulator.failNext('list', { kind: 'status', status: 503, message: 'maintenance' }, 6);
    await harness.untilQuiet();
    expect(await harness.record(idOf('A'))).toMatchObject({
      state: 'REJECTED',
      error: { message: 'no such band' },
    });
  });
});

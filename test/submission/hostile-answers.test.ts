import { describe, expect, it } from 'vitest';

import { cancelExports } from '../../shared/cancellation/cancel-exports.ts';
import { type EarthEngine, EarthEngineError, type Operation } from '../../shared/earth-engine/api.ts';
import { parseOperation } from '../../shared/earth-engine/operation.ts';
import { recordIdOf } from '../../shared/model/ids.ts';
import type { Services } from '../../shared/services.ts';
import { createListings } from '../../shared/submission/listings.ts';
import { createHarness, envelopeOf, type Harness, type Instance, smallJob } from '../harness.ts';

/** Answers that are well-formed JSON, but not what was requested. */

const MINUTE_MS = 60_000;
const endless: [number, number] = [1e9, 1e9];
const settings = { pendingMs: 0, startsPerSecond: 100, concurrency: 10 };
const idOf = (jobKey: string) => recordIdOf({ project: 'demo-test', jobKey, attempt: 1 });

/** Another process, whose calls to Earth Engine `change` replaces. */
function answering(harness: Harness, change: (earthEngine: EarthEngine) => Partial<EarthEngine>): Instance {
  return harness.instance((services: Services) => {
    const { earthEngine } = services;
    return { ...services, earthEngine: { ...earthEngine, ...change(earthEngine) } };
  });
}

/** Another process, in which `other` changes every operation that Earth Engine returns. */
function returning(harness: Harness, other: (operation: Operation) => Operation): Instance {
  return answering(harness, (earthEngine) => ({
    startExport: async (...call) => other(await earthEngine.startExport(...call)),
    getOperation: async (...call) => other(await earthEngine.getOperation(...call)),
    listOperations: async (...call) => {
      const page = await earthEngine.listOperations(...call);
      return { ...page, operations: page.operations.map(other) };
    },
  }));
}

/** Another process, whose list has one more operation. */
function listingAlso(harness: Harness, operation: Operation): Instance {
  return answering(harness, (earthEngine) => ({
    listOperations: async (...call) => {
      const page = await earthEngine.listOperations(...call);
      return { ...page, operations: [...page.operations, operation] };
    },
  }));
}

function operationWith(id: string, description: string, state = 'RUNNING'): Operation {
  const operation = parseOperation({
    name: `projects/demo-test/operations/${id}`,
    metadata: { state, type: 'EXPORT_VIDEO', description },
  });
  if (operation === undefined) {
    throw new Error('the test made no operation');
  }
  return operation;
}

async function poll(harness: Harness, instance: Instance, times: number): Promise<void> {
  for (let n = 0; n < times; n += 1) {
    harness.clock.advance(MINUTE_MS);
    await instance.poll();
  }
}

describe('a project that Earth Engine names by its number', () => {
  const numbered = (operation: Operation): Operation => ({
    ...operation,
    name: operation.name.replace('projects/demo-test/', 'projects/123456/'),
  });

  it('in lists: the operation is recognized, and keeps its recorded name', async () => {
    const harness = createHarness({ simulator: { settings } });
    await harness.submit({ data: smallJob({ jobKey: 'A' }) });
    const { operation } = (await harness.record(idOf('A'))) as { operation: string };
    await poll(harness, returning(harness, numbered), 60);
    const record = await harness.record(idOf('A'));
    expect(record).toMatchObject({ state: 'SUCCEEDED', operation });
    expect(record.extraOperations).toBeUndefined();
    expect(harness.simulator.counters().calls.cancel).toBe(0);
  });

  it('in the answer to an export: the list is recognized as the same operation', async () => {
    const harness = createHarness({ simulator: { settings } });
    const atFirst = answering(harness, (earthEngine) => ({
      startExport: async (...call) => numbered(await earthEngine.startExport(...call)),
    }));
    await atFirst.submit({ data: smallJob({ jobKey: 'A' }) });
    await poll(harness, harness, 60);
    const record = await harness.record(idOf('A'));
    expect(record).toMatchObject({
      state: 'SUCCEEDED',
      operation: expect.stringContaining('projects/123456/') as string,
    });
    expect(record.extraOperations).toBeUndefined();
  });
});

describe('a refusal', () => {
  it.each([199, 190])(
    'is noted without half a character, at whatever length it is cut: %i',
    async (length) => {
      const harness = createHarness();
      const reply = `${'x'.repeat(length)}😀`;
      for (const [jobKey, kind] of [
        ['A', 'REFUSED'],
        ['B', 'UNANSWERED'],
      ] as const) {
        const refusing = answering(harness, () => ({
          startExport: async () => {
            throw new EarthEngineError(kind, { message: reply, httpStatus: 400, status: 'X', reply });
          },
        }));
        await refusing.submit({ data: smallJob({ jobKey }) });
        const { history } = await harness.record(idOf(jobKey));
        expect(history.at(-1)?.note?.isWellFormed()).toBe(true);
      }
    },
  );
});

describe('a marker that another user copied', () => {
  it('does not get that task canceled if the record was never sent', async () => {
    const harness = createHarness({ simulator: { settings: { ...settings, runMs: endless } } });
    await cancelExports(harness.services, envelopeOf({ data: { jobKey: 'A' } }));
    await harness.submit({ data: smallJob({ jobKey: 'B' }) });
    const theirs = operationWith('THEIRS', `copy_${idOf('A')}`);
    await poll(harness, listingAlso(harness, theirs), 1);
    expect(harness.simulator.counters().calls.cancel).toBe(0);
    expect((await harness.record(idOf('A'))).extraOperations).toMatchObject([{ operation: theirs.name }]);
    expect((await harness.record(idOf('A'))).extraOperations?.[0]?.cancelledAt).toBeUndefined();
  });

  it('is only reported if the record never sent that generation', async () => {
    const harness = createHarness({ simulator: { settings: { ...settings, runMs: endless } } });
    await harness.submit({ data: smallJob({ jobKey: 'A' }) });
    const theirs = operationWith('THEIRS', `copy_${idOf('A')}-g7`);
    await poll(harness, listingAlso(harness, theirs), 1);
    expect(harness.simulator.counters().calls.cancel).toBe(0);
    expect((await harness.record(idOf('A'))).extraOperations?.[0]?.cancelledAt).toBeUndefined();
  });
});

describe('a marker in another project', () => {
  it('is a copy, which the record neither adopts nor notes', async () => {
    const harness = createHarness({ environment: { ALLOWED_PROJECTS: '*' }, simulator: { settings } });
    await harness.submit({ data: smallJob({ jobKey: 'A' }) });
    await harness.submit({ data: smallJob({ jobKey: 'B', project: 'other-project' }) });
    const copy = {
      ...operationWith('COPY', `x_${idOf('A')}`),
      name: 'projects/other-project/operations/COPY',
    };
    const instance = answering(harness, (earthEngine) => ({
      listOperations: async (project, ...call) => {
        const page = await earthEngine.listOperations(project, ...call);
        return project === 'other-project' ? { ...page, operations: [...page.operations, copy] } : page;
      },
    }));
    await poll(harness, instance, 60);
    const record = await harness.record(idOf('A'));
    expect(record.state).toBe('SUCCEEDED');
    expect(record.extraOperations).toBeUndefined();
  });
});

describe('a list', () => {
  const listingsOf = (harness: Harness, tokens: string[]) => {
    const { services } = answering(harness, () => ({
      listOperations: async () => ({ operations: [], nextPageToken: tokens.shift() ?? 'same' }),
    }));
    return createListings(services);
  };

  it('whose pages lead back to each other is not read forever', async () => {
    const harness = createHarness();
    const listings = listingsOf(harness, ['one', 'two']);
    const listing = listings.since('demo-test', harness.clock.now());
    await expect(listing.read(() => false)).rejects.toMatchObject({ kind: 'UNANSWERED', httpStatus: 502 });
  });
});

describe('two runs at once', () => {
  const slowly = { ...settings, pendingMs: 90_000, runMs: endless };

  /** A process that gets its answers, as they are now, only when `go` is called. */
  function holdingBack(harness: Harness, change: (earthEngine: EarthEngine) => EarthEngine = (same) => same) {
    const called = Promise.withResolvers<void>();
    const held = Promise.withResolvers<void>();
    const hold =
      <A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
      async (...args: A): Promise<R> => {
        const answer = await call(...args);
        called.resolve();
        await held.promise;
        return answer;
      };
    const instance = answering(harness, (earthEngine) => {
      const changed = change(earthEngine);
      return {
        listOperations: hold((...call: Parameters<EarthEngine['listOperations']>) =>
          changed.listOperations(...call),
        ),
        getOperation: hold((...call: Parameters<EarthEngine['getOperation']>) =>
          changed.getOperation(...call),
        ),
      };
    });
    return { poll: () => instance.poll(), called: called.promise, go: held.resolve };
  }

  it('do not take a record back to the state in an older list', async () => {
    const harness = createHarness({ simulator: { settings: slowly } });
    await harness.submit({ data: smallJob({ jobKey: 'A' }) });
    // One more than there are records, so the sweep reads the record of each operation in Earth Engine's queue.
    const foreign = operationWith('FOREIGN', `x_ve1-${'a'.repeat(32)}`, 'PENDING');
    const other = listingAlso(harness, foreign);
    const old = holdingBack(harness, () => other.services.earthEngine);
    harness.clock.advance(MINUTE_MS);
    const polling = old.poll();
    await old.called;
    await poll(harness, other, 1);
    expect((await harness.record(idOf('A'))).state).toBe('RUNNING');
    old.go();
    await polling;
    const states = [(await harness.record(idOf('A'))).state];
    for (let n = 0; n < 40; n += 1) {
      await poll(harness, other, 1);
      states.push((await harness.record(idOf('A'))).state);
    }
    expect([...new Set(states)]).toEqual(['RUNNING']);
  });

  it('do not take a record back to an older answer to a get', async () => {
    const harness = createHarness({ simulator: { settings: { ...settings, runMs: [600_000, 600_000] } } });
    // Once a list has more pages than there are records, each operation is requested individually.
    harness.simulator.setOthers('demo-test', { ended: 600 });
    await harness.submit({ data: smallJob({ jobKey: 'A' }) });
    await poll(harness, harness, 1);
    const old = holdingBack(harness);
    harness.clock.advance(2 * MINUTE_MS);
    const polling = old.poll();
    await old.called;
    harness.clock.advance(2 * MINUTE_MS);
    await harness.poll();
    const { progress } = (await harness.record(idOf('A'))) as { progress: number };
    expect(progress).toBeGreaterThan(0.4);
    old.go();
    await polling;
    expect(await harness.record(idOf('A'))).toMatchObject({ state: 'RUNNING', progress });
    expect(harness.simulator.counters().calls.get).toBe(2);
  });

  it('both record an ending, no matter which one comes first', async () => {
    const harness = createHarness({
      simulator: { settings: { ...settings, pendingMs: 0, runMs: [30_000, 30_000] } },
    });
    await harness.submit({ data: smallJob({ jobKey: 'A' }) });
    harness.clock.advance(MINUTE_MS);
    const old = holdingBack(harness);
    const polling = old.poll();
    await old.called;
    harness.clock.advance(MINUTE_MS);
    await cancelExports(
      answering(harness, () => ({ cancelOperation: async () => {} })).services,
      envelopeOf({ data: { jobKey: 'A' } }),
    );
    old.go();
    await polling;
    expect((await harness.record(idOf('A'))).state).toBe('SUCCEEDED');
  });
});

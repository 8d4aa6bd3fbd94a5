import { describe, expect, it } from 'vitest';

import { cancelExports } from '../../shared/cancellation/cancel-exports.ts';
import type { EarthEngine, Operation } from '../../shared/earth-engine-api.ts';
import { parseOperation } from '../../shared/earth-engine-operation.ts';
import { recordIdOf } from '../../shared/message/identity.ts';
import type { Services } from '../../shared/services.ts';
import { createListings } from '../../shared/submission/listing.ts';
import { createHarness, envelopeOf, type Harness, type Instance, smallJob } from '../harness.ts';

/** Answers that are JSON, and of the right form, and yet not what was asked for. */

const MINUTE_MS = 60_000;
const endless: [number, number] = [1e9, 1e9];
const settings = { pendingMs: 0, startsPerSecond: 100, concurrency: 10 };
const idOf = (jobKey: string) => recordIdOf({ project: 'demo-test', jobKey, attempt: 1 });

/** Another process, whose Earth Engine answers as `change` says. */
function answering(harness: Harness, change: (earthEngine: EarthEngine) => Partial<EarthEngine>): Instance {
  return harness.instance((services: Services) => {
    const { earthEngine } = services;
    return { ...services, earthEngine: { ...earthEngine, ...change(earthEngine) } };
  });
}

/** Every operation that EE tells of is another. */
function telling(harness: Harness, other: (operation: Operation) => Operation): Instance {
  return answering(harness, (earthEngine) => ({
    startExport: async (...call) => other(await earthEngine.startExport(...call)),
    getOperation: async (...call) => other(await earthEngine.getOperation(...call)),
    listOperations: async (...call) => {
      const page = await earthEngine.listOperations(...call);
      return { ...page, operations: page.operations.map(other) };
    },
  }));
}

/** EE's list has one operation more. */
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

describe('a project that EE names by its number', () => {
  const numbered = (operation: Operation): Operation => ({
    ...operation,
    name: operation.name.replace('projects/demo-test/', 'projects/123456/'),
  });

  it('in what it lists: the operation is the record’s own, under the name that it was recorded by', async () => {
    const harness = createHarness({ simulator: { settings } });
    await harness.submit({ data: smallJob({ jobKey: 'A' }) });
    const { operation } = (await harness.record(idOf('A'))) as { operation: string };
    await poll(harness, telling(harness, numbered), 60);
    const record = await harness.record(idOf('A'));
    expect(record).toMatchObject({ state: 'SUCCEEDED', operation });
    expect(record.extraOperations).toBeUndefined();
    expect(harness.simulator.counters().calls.cancel).toBe(0);
  });

  it('in what it answers to an export: what the list says of it is believed', async () => {
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

describe('a marker that somebody else wrote', () => {
  it('into a task of theirs does not get it cancelled: the record was never sent', async () => {
    const harness = createHarness({ simulator: { settings: { ...settings, runMs: endless } } });
    await cancelExports(harness.services, envelopeOf({ data: { jobKey: 'A' } }));
    await harness.submit({ data: smallJob({ jobKey: 'B' }) });
    const theirs = operationWith('THEIRS', `copy_${idOf('A')}`);
    await poll(harness, listingAlso(harness, theirs), 1);
    expect(harness.simulator.counters().calls.cancel).toBe(0);
    expect((await harness.record(idOf('A'))).extraOperations).toMatchObject([{ operation: theirs.name }]);
    expect((await harness.record(idOf('A'))).extraOperations?.[0]?.cancelledAt).toBeUndefined();
  });

  it('of a generation that the record never sent is only told of', async () => {
    const harness = createHarness({ simulator: { settings: { ...settings, runMs: endless } } });
    await harness.submit({ data: smallJob({ jobKey: 'A' }) });
    const theirs = operationWith('THEIRS', `copy_${idOf('A')}-g7`);
    await poll(harness, listingAlso(harness, theirs), 1);
    expect(harness.simulator.counters().calls.cancel).toBe(0);
    expect((await harness.record(idOf('A'))).extraOperations?.[0]?.cancelledAt).toBeUndefined();
  });
});

describe('a list', () => {
  const listingsOf = (harness: Harness, tokens: string[]) => {
    const { services } = answering(harness, () => ({
      listOperations: async () => ({ operations: [], nextPageToken: tokens.shift() ?? 'same' }),
    }));
    return createListings(services);
  };

  it('whose pages lead back to each other is not read for ever', async () => {
    const harness = createHarness();
    const listings = listingsOf(harness, ['one', 'two']);
    const listing = listings.since('demo-test', harness.clock.now());
    await expect(listing.complete()).rejects.toMatchObject({ kind: 'UNANSWERED', httpStatus: 502 });
  });
});

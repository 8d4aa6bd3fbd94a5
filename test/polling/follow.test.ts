import { describe, expect, it } from 'vitest';

import { later, MINUTE_MS, SECOND_MS } from '../../shared/clock.ts';
import { EarthEngineError, type EarthEngine } from '../../shared/earth-engine/api.ts';
import type { ActiveRecord } from '../../shared/model/record.ts';
import { followOperation } from '../../shared/polling/follow.ts';
import type { Stored } from '../../shared/store/store.ts';
import { createHarness, smallJob } from '../harness.ts';
import { beginRun } from './runs.ts';

const notFound = async (): Promise<never> => {
  throw new EarthEngineError('NOT_FOUND', {
    message: '404',
    httpStatus: 404,
    status: 'NOT_FOUND',
    reply: '',
  });
};

/** A record whose operation was missing for the first time so long ago. */
async function missing(agoMs: number) {
  const harness = createHarness();
  await harness.submit({ data: smallJob() });
  const [stored] = await harness.records();
  harness.clock.advance(60 * MINUTE_MS);
  const now = harness.clock.now();
  const missingSince = later(now, -agoMs);
  const changed = {
    ...(stored as Stored<ActiveRecord>).value,
    missingSince,
    updatedAt: missingSince,
    dueAt: now,
  };
  const replaced = await harness.store.records.replace(stored as Stored<ActiveRecord>, changed);
  return { harness, stored: replaced, missingSince };
}

describe('a second 404', () => {
  it('within T changes nothing: the first one counts', async () => {
    const { harness, stored, missingSince } = await missing(5 * MINUTE_MS);
    await followOperation(beginRun(harness, { getOperation: notFound }), stored);
    expect(await harness.record(stored.id)).toMatchObject({ state: 'PENDING', missingSince });
  });

  it('after T makes the record LOST if a complete list does not show the operation', async () => {
    const { harness, stored } = await missing(20 * MINUTE_MS);
    const empty = async () => ({ operations: [], nextPageToken: undefined });
    await followOperation(beginRun(harness, { getOperation: notFound, listOperations: empty }), stored);
    expect((await harness.record(stored.id)).state).toBe('LOST');
  });

  it('is not asked for if the list shows the operation', async () => {
    const { harness, stored } = await missing(20 * MINUTE_MS);
    await followOperation(beginRun(harness, { getOperation: notFound }), stored);
    const record = await harness.record(stored.id);
    expect(record.state).not.toBe('LOST');
    expect(record).not.toHaveProperty('missingSince');
  });

  it('waits for the next run if the list was not read to its end', async () => {
    const { harness, stored } = await missing(20 * MINUTE_MS);
    const endless: EarthEngine['listOperations'] = async () => {
      harness.clock.advance(10 * SECOND_MS);
      return { operations: [], nextPageToken: String(harness.clock.now().getTime()) };
    };
    await followOperation(beginRun(harness, { getOperation: notFound, listOperations: endless }), stored);
    expect(await harness.record(stored.id)).toEqual(stored.value);
  });
});

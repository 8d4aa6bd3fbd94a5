import { describe, expect, it } from 'vitest';

import { StaleWriteError } from '../shared/errors.ts';
import type { ExportRecord } from '../shared/model/record.ts';
import type { Publisher } from '../shared/publisher.ts';
import { createRecord, flushEvents, replaceRecord, updateRecord } from '../shared/records.ts';
import { markDue } from '../shared/record/transitions.ts';
import type { Stored } from '../shared/store/store.ts';
import { createHarness, type Harness } from './harness.ts';
import { recordId, sample } from './record/samples.ts';

/** Writing records: which write comes first, and what happens if the next step fails. */

async function stored<R extends ExportRecord>(harness: Harness, record: R): Promise<Stored<R>> {
  const outcome = await harness.store.records.create(recordId, record);
  if (!('created' in outcome)) {
    throw new Error('there is a record already');
  }
  return outcome.created as Stored<R>;
}

/** Services whose publisher is observed: the stored state at the time of each event. */
function watched(harness: Harness) {
  const states: unknown[] = [];
  const publisher: Publisher = {
    ...harness.publisher,
    publish: async (...call) => {
      states.push((await harness.store.records.get(recordId)) && (await harness.record(recordId)).state);
      return harness.publisher.publish(...call);
    },
  };
  return { services: { ...harness.services, publisher }, states };
}

const dying: Publisher = {
  publish: async () => {
    throw new Error('the process died');
  },
  close: async () => {},
};

const later = <R extends ExportRecord>(record: R, change: object): R => ({
  ...record,
  revision: record.revision + 1,
  ...change,
});

describe('a new record', () => {
  it('is written with its event, which is published afterward', async () => {
    const harness = createHarness();
    const { services, states } = watched(harness);
    const outcome = await createRecord(services, recordId, sample('WAITING'));
    expect(states).toEqual(['WAITING']);
    expect(harness.publisher.published).toHaveLength(1);
    expect(outcome).toHaveProperty('created');
    expect(await harness.record(recordId)).not.toHaveProperty('unpublishedEvents');
  });

  it('still has its event if the process dies before it is published', async () => {
    const harness = createHarness();
    const creating = createRecord({ ...harness.services, publisher: dying }, recordId, sample('WAITING'));
    await expect(creating).rejects.toThrow('died');
    expect(await harness.record(recordId)).toMatchObject({ unpublishedEvents: [{ state: 'WAITING' }] });
  });
});

describe('a decision of this service', () => {
  const rejected = later(sample('REJECTED'), {});

  it('is written before it is published', async () => {
    const harness = createHarness();
    const { services, states } = watched(harness);
    await replaceRecord(services, await stored(harness, sample('SUBMITTING')), rejected);
    expect(states).toEqual(['REJECTED']);
    expect(await harness.record(recordId)).not.toHaveProperty('unpublishedEvents');
  });

  it('keeps its event if the process dies before it is published', async () => {
    const harness = createHarness();
    const before = await stored(harness, sample('SUBMITTING'));
    const writing = replaceRecord({ ...harness.services, publisher: dying }, before, rejected);
    await expect(writing).rejects.toThrow('died');
    expect(await harness.record(recordId)).toMatchObject({ unpublishedEvents: [{ state: 'REJECTED' }] });
  });
});

describe('what Earth Engine reports', () => {
  const succeeded = later(sample('SUCCEEDED'), {});

  it('is published before it is written', async () => {
    const harness = createHarness();
    const { services, states } = watched(harness);
    await replaceRecord(services, await stored(harness, sample('RUNNING')), succeeded);
    expect(states).toEqual(['RUNNING']);
    expect(await harness.record(recordId)).not.toHaveProperty('unpublishedEvents');
  });

  it('is written with its event if the topic does not accept it', async () => {
    const harness = createHarness();
    harness.publisher.failing = true;
    await replaceRecord(harness.services, await stored(harness, sample('RUNNING')), succeeded);
    expect(await harness.record(recordId)).toMatchObject({
      state: 'SUCCEEDED',
      unpublishedEvents: [{ state: 'SUCCEEDED' }],
    });
  });
});

describe('pending events', () => {
  const pending = { kind: 'STATE', state: 'WAITING', revision: 1, at: new Date() } as const;

  it.each([
    [false, false],
    [true, true],
  ])('stay if the topic fails (%s)', async (failing, stays) => {
    const harness = createHarness();
    const record = await stored(harness, sample('WAITING', { unpublishedEvents: [pending] }));
    harness.publisher.failing = failing;
    await flushEvents(harness.services, [record]);
    expect('unpublishedEvents' in (await harness.record(recordId))).toBe(stays);
  });
});

describe('a decision on a record that has changed since', () => {
  it('is made again, on the record as it is now', async () => {
    const harness = createHarness();
    const read = await stored(harness, sample('WAITING'));
    const changed = later(read.value, { jobKey: 'changed' });
    await harness.store.records.replace(read, changed);
    const seen: unknown[] = [];
    const { written } = await updateRecord(harness.services, read, (record) => {
      seen.push(record.jobKey);
      return record.state === 'WAITING' ? markDue(record, harness.clock.now()) : undefined;
    });
    expect(written).toBe(true);
    expect(seen).toEqual([read.value.jobKey, 'changed']);
    expect(await harness.record(recordId)).toMatchObject({
      jobKey: 'changed',
      revision: changed.revision + 1,
    });
  });

  it('is given up if others write it again and again', async () => {
    const harness = createHarness();
    const read = await stored(harness, sample('WAITING'));
    const { services } = harness;
    let tries = 0;
    const busy = {
      ...services.store,
      records: {
        ...services.store.records,
        replace: async () => {
          tries += 1;
          throw tries > 100 ? new Error('too many tries') : new StaleWriteError('videoExports/x');
        },
      },
    };
    const updating = updateRecord({ ...services, store: busy }, read, (record) => later(record, {}));
    await expect(updating).rejects.toThrow(StaleWriteError);
    expect(tries).toBeLessThan(20);
  });
});

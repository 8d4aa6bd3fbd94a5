import { describe, expect, it } from 'vitest';

import { later, MINUTE_MS, SECOND_MS } from '../../shared/clock.ts';
import {
  cancelOperations,
  cancellationOf,
  requestCancelling,
} from '../../shared/cancellation/cancel-record.ts';
import { EarthEngineError } from '../../shared/earth-engine/api.ts';
import type { ActiveRecord } from '../../shared/model/record.ts';
import type { Stored } from '../../shared/store/store.ts';
import { createHarness, type Harness, smallJob } from '../harness.ts';
import { frozen, moment, policy, sample } from '../record/samples.ts';

const { now } = moment;

describe('the cancellation of a record', () => {
  it('ends a waiting job at once if every send was answered', () => {
    expect(cancellationOf(sample('WAITING', { unanswered: 0 }), now, policy, now)?.state).toBe('CANCELLED');
  });

  it('waits for the searches if a send was not answered', () => {
    expect(cancellationOf(sample('WAITING', { unanswered: 1 }), now, policy, now)).toMatchObject({
      state: 'WAITING',
      waitingFor: 'ADOPTION',
      cancelRequestedAt: now,
      dueAt: now,
    });
  });

  it('makes an operation due within minutes, in case the call gets lost', () => {
    const dueLate = sample('PENDING', { dueAt: later(now, 60 * MINUTE_MS) });
    expect(cancellationOf(dueLate, now, policy, now)).toHaveProperty('dueAt', later(now, 10 * MINUTE_MS));
    const dueSoon = sample('PENDING', { dueAt: later(now, MINUTE_MS) });
    expect(cancellationOf(dueSoon, now, policy, now)).toHaveProperty('dueAt', later(now, MINUTE_MS));
  });

  it.each(['SUCCEEDED', 'FAILED', 'CANCELLED', 'REJECTED', 'LOST'] as const)(
    'changes nothing in %s',
    (state) => {
      expect(cancellationOf(frozen(state), now, policy, now)).toBeUndefined();
    },
  );
});

async function requested(harness: Harness, jobs: number): Promise<Stored<ActiveRecord>[]> {
  for (let n = 0; n < jobs; n += 1) {
    await harness.submit({ data: smallJob({ jobKey: `job ${n}` }) });
  }
  const records = await harness.records();
  return Promise.all(
    records.map(
      (stored) =>
        requestCancelling(harness.services, stored, harness.clock.now()) as Promise<Stored<ActiveRecord>>,
    ),
  );
}

describe('a call to cancel', () => {
  it('that fails makes the record due at once', async () => {
    const harness = createHarness();
    const records = await requested(harness, 1);
    const failing = {
      ...harness.services,
      earthEngine: {
        ...harness.services.earthEngine,
        cancelOperation: async () => {
          throw new EarthEngineError('UNANSWERED', { message: '', httpStatus: 503, status: '', reply: '' });
        },
      },
    };
    const asked = await cancelOperations(failing, records, later(harness.clock.now(), MINUTE_MS));
    expect(asked).toBe(0);
    expect(await harness.record(records[0]?.id ?? '')).toMatchObject({ dueAt: harness.clock.now() });
  });

  it('is made at most ten times a second', async () => {
    const harness = createHarness();
    const records = await requested(harness, 31);
    const began = harness.clock.now();
    await cancelOperations(harness.services, records, later(began, MINUTE_MS));
    expect(harness.clock.now().getTime() - began.getTime()).toBeGreaterThanOrEqual(3 * SECOND_MS);
    expect(harness.simulator.operations().every(({ cancelRequested }) => cancelRequested)).toBe(true);
  });
});

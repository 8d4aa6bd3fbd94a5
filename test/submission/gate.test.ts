import { describe, expect, it } from 'vitest';

import { later, MINUTE_MS, SECOND_MS } from '../../shared/clock.ts';
import { createGate, readStatus } from '../../shared/submission/gate.ts';
import { createHarness, type Harness } from '../harness.ts';
import { sample } from '../record/samples.ts';

const project = 'demo-ee';

/** A harness whose store has these records. */
async function holding(records: Parameters<Harness['store']['records']['create']>[1][], limit = 100) {
  const harness = createHarness({ environment: { MAX_ACTIVE_OPERATIONS: String(limit) } });
  for (const [n, record] of records.entries()) {
    await harness.store.records.create(`record-${n}`, record);
  }
  return { harness, gate: createGate(harness.services) };
}

const statusOf = async (harness: Harness) => (await readStatus(harness.services, project))?.value;

describe('a new job', () => {
  it('is sent if nothing waits', async () => {
    const { gate } = await holding([]);
    expect(await gate.admit(project)).toEqual({ send: true });
  });

  it('waits behind the jobs that wait', async () => {
    const { gate } = await holding([sample('WAITING', { waitingFor: 'QUEUE' })]);
    expect(await gate.admit(project)).toMatchObject({ waitingFor: 'QUEUE' });
  });

  it('does not wait behind a record that cannot be read', async () => {
    const { harness, gate } = await holding([]);
    const { priority, createdAt } = sample('WAITING');
    const fields = { project, state: 'WAITING', waitingFor: 'QUEUE', priority, createdAt };
    const store = harness.store as unknown as { put(path: string, fields: object): void };
    store.put('videoExports/damaged', fields);
    expect(await gate.admit(project)).toEqual({ send: true });
  });

  it.each(['SUBMITTING', 'PENDING', 'RUNNING', 'CANCELLING'] as const)(
    'waits while a record in %s takes the last slot',
    async (state) => {
      const { gate } = await holding([sample(state)], 1);
      expect(await gate.admit(project)).toMatchObject({ waitingFor: 'QUEUE' });
    },
  );

  it('takes a slot, although no record shows it yet', async () => {
    const { gate } = await holding([], 2);
    const admissions = [await gate.admit(project), await gate.admit(project), await gate.admit(project)];
    expect(admissions.map((admission) => 'send' in admission)).toEqual([true, true, false]);
  });
});

describe('a closed gate', () => {
  it('stays closed for as long as the first refusal said, however many follow', async () => {
    const { harness, gate } = await holding([]);
    await gate.close(project, 'QUEUE', undefined);
    const first = await statusOf(harness);
    harness.clock.advance(SECOND_MS);
    await createGate(harness.services).close(project, 'RATE', 10 * MINUTE_MS);
    expect(await statusOf(harness)).toEqual(first);
    expect(first).toMatchObject({ closures: 1, closedFor: 'QUEUE' });
  });

  it('closes for longer if Earth Engine refuses again after that', async () => {
    const { harness, gate } = await holding([]);
    await gate.close(project, 'QUEUE', undefined);
    harness.clock.advance(MINUTE_MS);
    await gate.close(project, 'QUEUE', 10 * MINUTE_MS);
    expect(await statusOf(harness)).toMatchObject({
      closures: 2,
      closedUntil: later(harness.clock.now(), 10 * MINUTE_MS),
    });
  });
});

describe('a project whose operations lack the marker', () => {
  it('is noted, until an operation has its marker again', async () => {
    const { harness, gate } = await holding([]);
    await gate.noteMarker(project, 'projects/demo-ee/operations/OP1', true);
    expect(await statusOf(harness)).toBeUndefined();
    await gate.noteMarker(project, 'projects/demo-ee/operations/OP1', false);
    expect(await statusOf(harness)).toHaveProperty('markerMissingAt');
    expect(await statusOf(harness)).not.toHaveProperty('markerSeenAt');
    await gate.noteMarker(project, 'projects/demo-ee/operations/OP1', true);
    expect(await statusOf(harness)).toHaveProperty('markerSeenAt', harness.clock.now());
  });
});

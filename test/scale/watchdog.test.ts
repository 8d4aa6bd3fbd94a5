import { describe, expect, it } from 'vitest';

import { HOUR_MS } from '../../shared/clock.ts';
import type { EarthEngine, Operation } from '../../shared/earth-engine/api.ts';
import { createHarness, type Harness, type Instance, smallJob } from '../harness.ts';

/** Polls every hour, which is the interval of the safety net. */
async function pollForHours(harness: Harness, poller: Instance, hours: number): Promise<void> {
  for (let hour = 0; hour < hours; hour += 1) {
    harness.clock.advance(HOUR_MS);
    await poller.poll();
  }
}

async function onlyRecord(harness: Harness) {
  const [stored] = await harness.records();
  if (stored?.value.state !== 'RUNNING') {
    throw new Error(`the job is ${stored?.value.state}`);
  }
  return stored.value;
}

const stalledLines = (harness: Harness) => harness.logged.filter(({ event }) => event === 'record.stalled');
const stalledEvents = (harness: Harness) =>
  harness.publisher.published.filter(({ message }) => message.attributes['kind'] === 'STALLED');

/** Another process, in which `change` changes every operation that Earth Engine returns. */
function returning(harness: Harness, change: (operation: Operation) => Operation): Instance {
  return harness.instance((services) => {
    const { earthEngine } = services;
    const changed: Partial<EarthEngine> = {
      getOperation: async (...call) => change(await earthEngine.getOperation(...call)),
      listOperations: async (...call) => {
        const page = await earthEngine.listOperations(...call);
        return { ...page, operations: page.operations.map(change) };
      },
    };
    return { ...services, earthEngine: { ...earthEngine, ...changed } };
  });
}

describe('the watchdog', () => {
  it('reports an operation that has not moved for STALLED_HOURS, once', async () => {
    const harness = createHarness({
      simulator: { settings: { stalling: ['small'], runMs: [HOUR_MS, HOUR_MS], pendingMs: 0 } },
    });
    await harness.submit({ data: smallJob() });
    await pollForHours(harness, harness, 20);
    const { movedAt, stalledSince } = await onlyRecord(harness);
    expect(stalledSince).toBeUndefined();
    expect(stalledEvents(harness)).toEqual([]);

    await pollForHours(harness, harness, 30);
    expect(await onlyRecord(harness)).toMatchObject({ stalledSince: movedAt, movedAt });
    expect(stalledLines(harness)).toMatchObject([
      { severity: 'WARNING', recordId: expect.any(String) as string },
    ]);
    const [event, ...more] = stalledEvents(harness);
    expect(more).toEqual([]);
    expect(event?.message.attributes).toMatchObject({ kind: 'STALLED', state: 'RUNNING' });
  });

  it('reports when Earth Engine will end it: ten days after its start', async () => {
    const harness = createHarness({
      simulator: { settings: { stalling: ['small'], runMs: [HOUR_MS, HOUR_MS], pendingMs: 0 } },
    });
    await harness.submit({ data: smallJob() });
    await pollForHours(harness, harness, 50);
    const { startedAt, stalledSince } = await onlyRecord(harness);
    const endsAt = new Date((startedAt?.getTime() ?? 0) + 240 * HOUR_MS).toISOString();
    expect(stalledLines(harness)).toMatchObject([{ stalledSince: stalledSince?.toISOString(), endsAt }]);
  });

  it('waits for STALLED_HOURS', async () => {
    const harness = createHarness({
      environment: { STALLED_HOURS: '3' },
      simulator: { settings: { stalling: ['small'], runMs: [HOUR_MS, HOUR_MS], pendingMs: 0 } },
    });
    await harness.submit({ data: smallJob() });
    await pollForHours(harness, harness, 7);
    expect(stalledLines(harness)).toHaveLength(1);
  });

  it('ignores an operation that is slow but moves', async () => {
    const harness = createHarness({
      // One percent in ten hours.
      simulator: { settings: { runMs: [1000 * HOUR_MS, 1000 * HOUR_MS], pendingMs: 0 } },
    });
    await harness.submit({ data: smallJob() });
    await pollForHours(harness, harness, 100);
    expect(await onlyRecord(harness)).not.toHaveProperty('stalledSince');
    expect(stalledLines(harness)).toEqual([]);
  });

  it('counts both work units and progress as movement', async () => {
    for (const moving of ['units', 'progress'] as const) {
      const harness = createHarness({
        simulator: { settings: { stalling: ['small'], runMs: [HOUR_MS, HOUR_MS], pendingMs: 0 } },
      });
      let step = 0;
      const poller = returning(harness, (operation) => {
        step += 1;
        return moving === 'units'
          ? { ...operation, progress: 0.5, units: step }
          : { ...operation, progress: 0.1 + step / 10_000, units: 7 };
      });
      await harness.submit({ data: smallJob() });
      await pollForHours(harness, poller, 60);
      expect(stalledLines(harness), moving).toEqual([]);
    }
  });

  it('clears the mark when the operation moves again, and reports the next stall', async () => {
    const harness = createHarness({
      simulator: { settings: { stalling: ['small'], runMs: [HOUR_MS, HOUR_MS], pendingMs: 0 } },
    });
    let units = 5;
    const poller = returning(harness, (operation) => ({ ...operation, progress: 0.5, units }));
    await harness.submit({ data: smallJob() });
    await pollForHours(harness, poller, 30);
    expect((await onlyRecord(harness)).stalledSince).toBeInstanceOf(Date);
    units += 1;
    await pollForHours(harness, poller, 2);
    expect((await onlyRecord(harness)).stalledSince).toBeUndefined();
    await pollForHours(harness, poller, 30);
    expect((await onlyRecord(harness)).stalledSince).toBeInstanceOf(Date);
    expect(stalledEvents(harness)).toHaveLength(2);
  });
});

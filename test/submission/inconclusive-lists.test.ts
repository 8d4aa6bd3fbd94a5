import { describe, expect, it } from 'vitest';

import { cancelExports } from '../../shared/cancellation/cancel-exports.ts';
import { MINUTE_MS } from '../../shared/clock.ts';
import type { EarthEngine, Operation } from '../../shared/earth-engine/api.ts';
import { recordIdOf } from '../../shared/model/ids.ts';
import { isReadable } from '../../shared/store/store.ts';
import { changeStatus } from '../../shared/submission/gate.ts';
import { envelopeOf, type Harness, queueFull, smallJob } from '../harness.ts';
import { pollFor, startAtEarthEngine, T_MS, theRecord, world } from './rules-world.ts';

/** Rule 5: lists that may contain a record's operation without its marker prove nothing. */

const endless = { pendingMs: 0, startsPerSecond: 100, concurrency: 100, runMs: [1e12, 1e12] } as const;
const idOf = (jobKey: string) => recordIdOf({ project: 'demo-test', jobKey, attempt: 1 });

/** A process whose calls to Earth Engine differ in one way. */
const changed = (harness: Harness, change: (earthEngine: EarthEngine) => Partial<EarthEngine>) =>
  harness.instance((services) => ({
    ...services,
    earthEngine: { ...services.earthEngine, ...change(services.earthEngine) },
  }));

/** A process to which lists show operations without these fields. */
const listing = (
  harness: Harness,
  hidden: Partial<Operation>,
  isHidden: (name: string) => boolean = () => true,
) =>
  changed(harness, (earthEngine) => ({
    listOperations: async (...call) => {
      const page = await earthEngine.listOperations(...call);
      const operations = page.operations.map((each) => (isHidden(each.name) ? { ...each, ...hidden } : each));
      return { ...page, operations };
    },
  }));

const cancelJob = (harness: Harness, jobKey: string) =>
  cancelExports(harness.services, envelopeOf({ data: { jobKey } }));

const operationsOf = (harness: Harness) => harness.simulator.operations().map(({ name }) => name);

async function pollWith(harness: Harness, process: { poll(): Promise<unknown> }, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += MINUTE_MS) {
    harness.clock.advance(MINUTE_MS);
    await process.poll();
  }
}

describe('a list that shows a video operation without a description', () => {
  const undescribed = [
    ['that was created after the job was claimed', { description: undefined }],
    ['with an empty description', { description: '' }],
    ['of unknown age', { description: undefined, createTime: undefined }],
    ['of unknown type', { description: undefined, type: undefined }],
  ] as const;

  // Removed: hidingMs in emptySearch; then createTime's default there; then the undefined type in mayHideMarker.
  it.each(undescribed)('%s does not end a canceled job, whose operation may run', async (_, hidden) => {
    const harness = world({ simulator: { settings: endless } });
    harness.simulator.failNext('export', { kind: 'lost' }, 3);
    await harness.submit({ data: smallJob() });
    await cancelJob(harness, 'test/1');
    await pollWith(harness, listing(harness, hidden), 3 * T_MS);
    expect(await theRecord(harness)).toMatchObject({ state: 'WAITING', waitingFor: 'ADOPTION' });
    // Once the list shows the marker, the operation is found and canceled.
    await pollFor(harness, 2 * MINUTE_MS);
    expect(harness.simulator.operations()).toMatchObject([{ cancelRequested: true }]);
  });

  it('does not make a refused ID given up: there is one operation', async () => {
    const harness = world({ simulator: { settings: endless } });
    harness.simulator.failNext('export', { kind: 'lost' });
    const message = 'A different Operation was already started with the given request_id';
    harness.simulator.failNext('export', { kind: 'status', status: 400, message }, 1000);
    await harness.submit({ data: smallJob() });
    await pollWith(harness, listing(harness, { description: undefined }), 3 * T_MS);
    expect((await theRecord(harness)).requestId).not.toMatch(/-g2$/);
    await pollFor(harness, 5 * MINUTE_MS);
    expect(await theRecord(harness)).toMatchObject({ operation: operationsOf(harness)[0] });
  });

  it.each([
    ['that is older than the job', { description: undefined }],
    ['of another type', { description: undefined, type: 'EXPORT_IMAGE', createTime: undefined }],
  ])('%s hides nothing', async (_, hidden) => {
    const harness = world({ simulator: { settings: endless } });
    await startAtEarthEngine(harness, 'other', 'of-another-user');
    expect(operationsOf(harness)).toHaveLength(1);
    harness.clock.advance(5 * MINUTE_MS);
    harness.simulator.failNext('export', { kind: 'reset' }, 3);
    await harness.submit({ data: smallJob() });
    await cancelJob(harness, 'test/1');
    await pollWith(harness, listing(harness, hidden), T_MS + 2 * MINUTE_MS);
    expect((await theRecord(harness)).state).toBe('CANCELLED');
  });

  it('that was created while the job waited in our queue hides nothing', async () => {
    const harness = world({ simulator: { settings: endless } });
    harness.simulator.failNext('export', queueFull);
    await harness.submit({ data: smallJob({ jobKey: 'first' }) });
    await harness.submit({ data: smallJob({ jobKey: 'waits' }) });
    harness.clock.advance(2 * MINUTE_MS);
    await startAtEarthEngine(harness, 'other', 'of-another-user');
    const [others] = operationsOf(harness);
    expect(others).toBeDefined();
    harness.clock.advance(5 * MINUTE_MS);
    const losing = changed(harness, (earthEngine) => ({
      startExport: async (project, request, options) => {
        const waits = new TextDecoder().decode(request).includes(idOf('waits'));
        harness.simulator.failNext('export', { kind: 'reset' }, waits ? 1 : 0);
        return earthEngine.startExport(project, request, options);
      },
    }));
    await losing.poll();
    await cancelJob(harness, 'waits');
    const poller = listing(harness, { description: undefined }, (name) => name === others);
    await pollWith(harness, poller, T_MS + 2 * MINUTE_MS);
    expect((await harness.record(idOf('waits'))).state).toBe('CANCELLED');
  });
});

describe('a response without the marker', () => {
  const markerOf = async ({ store }: Harness) => {
    const found = await store.projects.get('demo-test');
    return found && isReadable(found)
      ? [found.value.markerMissingAt, found.value.markerSeenAt].map((time) => time !== undefined)
      : undefined;
  };

  /** A job whose call never arrived, and one whose operation came back with a description that was cut. */
  async function flagged(): Promise<Harness> {
    const harness = world({ simulator: { settings: endless } });
    harness.simulator.failNext('export', { kind: 'reset' }, 3);
    await harness.submit({ data: smallJob({ jobKey: 'A' }) });
    const odd = changed(harness, (earthEngine) => ({
      startExport: async (...call) => ({ ...(await earthEngine.startExport(...call)), description: 'cut' }),
    }));
    await odd.submit({ data: smallJob({ jobKey: 'B' }) });
    await cancelJob(harness, 'A');
    expect(await markerOf(harness)).toEqual([true, false]);
    return harness;
  }

  // Removed: the search for the operation that lacked its marker in afterList.
  it('makes searches inconclusive until a list shows that operation with its marker', async () => {
    const harness = await flagged();
    const [first] = operationsOf(harness);
    await pollWith(
      harness,
      listing(harness, { description: 'cut' }, (name) => name === first),
      3 * T_MS,
    );
    expect((await harness.record(idOf('A'))).state).toBe('WAITING');
    await pollFor(harness, 2 * T_MS);
    expect((await harness.record(idOf('A'))).state).toBe('CANCELLED');
    expect(await markerOf(harness)).toEqual([false, false]);
  });

  // Removed: markerSeenAt in isMarkerMissing: A, sent while markers were missing, became CANCELLED. Then isBack.
  it.each(['response', 'list'])(
    'proves nothing about jobs that were sent before a %s shows markers again',
    async (how) => {
      const harness = await flagged();
      const [first] = operationsOf(harness);
      const poller = listing(harness, { description: 'cut' }, (name) => name === first);
      harness.clock.advance(MINUTE_MS);
      if (how === 'response') {
        await harness.submit({ data: smallJob({ jobKey: 'C' }) });
      } else {
        await startAtEarthEngine(harness, idOf('D'), `small_${idOf('D')}`);
      }
      await pollWith(harness, poller, 2 * T_MS);
      expect(await markerOf(harness)).toEqual([true, true]);
      harness.simulator.failNext('export', { kind: 'reset' }, 3);
      await harness.submit({ data: smallJob({ jobKey: 'E' }) });
      await cancelJob(harness, 'E');
      await pollWith(harness, poller, 2 * T_MS);
      expect((await harness.record(idOf('A'))).state).toBe('WAITING');
      expect((await harness.record(idOf('E'))).state).toBe('CANCELLED');
    },
  );

  it('that an older version noted is superseded by a list that shows younger markers', async () => {
    const harness = world({ simulator: { settings: endless } });
    await changeStatus(harness.services, 'demo-test', (status, now) => ({ ...status, markerMissingAt: now }));
    harness.clock.advance(MINUTE_MS);
    await startAtEarthEngine(harness, idOf('D'), `small_${idOf('D')}`);
    harness.simulator.failNext('export', { kind: 'reset' }, 3);
    await harness.submit({ data: smallJob({ jobKey: 'A' }) });
    await pollFor(harness, MINUTE_MS);
    expect(await markerOf(harness)).toEqual([true, true]);
  });
});

import { describe, expect, it } from 'vitest';

import { deliver, type DeliveryRule } from '../../../../infra/local/storage/deliver.ts';
import { createStorage } from '../../../../infra/local/storage/storage.ts';
import { createHarness, smallJob } from '../../../harness.ts';

const destination = 'gs://my-bucket/small';

/** Submits one job, lets it succeed, and returns the objects that exist `afterMs` after that. */
async function delivered(rules: readonly DeliveryRule[], afterMs = 0, request = {}) {
  const harness = createHarness({
    simulator: { onEnd: (operation) => deliver(storage, operation, rules) },
  });
  const storage = createStorage({ now: () => harness.clock.now() });
  await harness.submit({ data: smallJob({}, request) });
  await harness.untilQuiet();
  const [operation] = harness.simulator.operations();
  harness.clock.advance(afterMs);
  return { objects: storage.objects.list('my-bucket', ''), operation };
}

describe('the simulated Earth Engine', () => {
  it('delivers under the numbered name when the operation ends', async () => {
    const { objects, operation } = await delivered([]);
    expect(objects.map(({ name }) => name)).toEqual([
      expect.stringMatching(/^smallee-export-video\d{1,20}\.mp4$/),
    ]);
    expect(objects[0]?.createdMs).toBe(Date.parse(operation?.endTime ?? ''));
  });

  it('delivers under the plain name', async () => {
    const { objects } = await delivered([{ pattern: destination, name: 'plain' }]);
    expect(objects.map(({ name }) => name)).toEqual(['small.mp4']);
  });

  it('delivers late, twice, or never', async () => {
    expect((await delivered([{ pattern: '.', when: 120_000 }])).objects).toEqual([]);
    expect((await delivered([{ pattern: '.', when: 120_000 }], 120_000)).objects).toHaveLength(1);
    expect((await delivered([{ pattern: '.', files: 2 }])).objects).toHaveLength(2);
    expect((await delivered([{ pattern: '.', when: 'never' }], 9e9)).objects).toEqual([]);
  });

  it('leaves only the file of an earlier run', async () => {
    const { objects, operation } = await delivered([{ pattern: '.', when: 'earlier-run' }]);
    expect(objects[0]?.createdMs).toBeLessThan(Date.parse(operation?.startTime ?? ''));
  });

  it('delivers nothing of a failed operation', async () => {
    const harness = createHarness({
      simulator: {
        settings: { failing: [{ pattern: '.', code: 3, message: 'no' }] },
        onEnd: (operation) => deliver(storage, operation),
      },
    });
    const storage = createStorage({ now: () => harness.clock.now() });
    await harness.submit({ data: smallJob() });
    await harness.untilQuiet();
    expect(storage.objects.list('my-bucket', '')).toEqual([]);
  });
});

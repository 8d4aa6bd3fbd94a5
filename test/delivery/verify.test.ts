import { describe, expect, it } from 'vitest';

import type { DeliveryRule } from '../../infra/local/storage/deliver.ts';
import { atRate, bytesOf } from '../../infra/local/storage/deliver.ts';
import type { RecordIn } from '../../shared/model/record.ts';
import { verifyAgain } from '../../shared/record/delivery.ts';
import { updateRecord } from '../../shared/records.ts';
import { StorageError } from '../../shared/storage/api.ts';
import { createHarness, type Harness, type HarnessOptions, smallJob } from '../harness.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const bucket = 'my-bucket';

/** One job, submitted and ended at Earth Engine. */
async function ended(
  rules: readonly DeliveryRule[],
  options: HarnessOptions & { readonly job?: Record<string, unknown> } = {},
) {
  const harness = createHarness({ ...options, deliveries: rules });
  await harness.submit({ data: smallJob(options.job) });
  await harness.poll();
  harness.clock.advance(MINUTE_MS);
  return harness;
}

async function succeeded(harness: Harness): Promise<RecordIn<'SUCCEEDED'>> {
  const [record] = await harness.records();
  if (record?.value.state !== 'SUCCEEDED') {
    throw new Error(`the job is ${record?.value.state}`);
  }
  return record.value;
}

const delivery = async (harness: Harness) => (await succeeded(harness)).delivery;

/** The kinds of events, in order. */
const events = (harness: Harness): string[] =>
  harness.publisher.published
    .filter(({ topic }) => topic === 'video-export-events')
    .map(({ message: { attributes } }) =>
      [attributes['kind'], attributes['state'], attributes['delivery']].filter(Boolean).join(' '),
    );

async function pollFor(harness: Harness, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += MINUTE_MS) {
    await harness.poll();
    harness.clock.advance(MINUTE_MS);
  }
  await harness.poll();
}

describe('the video of a job that succeeded', () => {
  it.each(['plain', 'numbered'] as const)('is verified in the same poll, under the %s name', async (name) => {
    const harness = await ended([{ pattern: '.', name }]);
    await harness.poll();
    const [object] = harness.buckets.objects.list(bucket, '');
    const record = await succeeded(harness);
    expect(record.delivery).toEqual({
      state: 'VERIFIED',
      checkedAt: harness.clock.now(),
      object: `gs://${bucket}/${object?.name}`,
      generation: object?.generation,
      bytes: object?.data.length,
      crc32c: object?.crc32c,
      frames: 12,
      framesPerSecond: 5,
      width: 320,
      height: 180,
      durationSeconds: 2.4,
      codec: 'avc1.640015',
      problems: [],
    });
    expect(record).not.toHaveProperty('dueAt');
    expect(events(harness)).toEqual([
      'STATE PENDING',
      'STATE SUCCEEDED PENDING',
      'DELIVERY SUCCEEDED VERIFIED',
    ]);
    expect(harness.buckets.counters).toMatchObject({ calls: { list: 1, read: 1, get: 0 } });
  });

  it('is looked for until it appears', async () => {
    const harness = await ended([{ pattern: '.', when: 10 * MINUTE_MS }]);
    await harness.poll();
    expect((await delivery(harness))?.state).toBe('PENDING');
    await pollFor(harness, 20 * MINUTE_MS);
    expect((await delivery(harness))?.state).toBe('VERIFIED');
    expect(harness.buckets.counters.calls.list).toBeLessThan(8);
    expect(events(harness).filter((event) => event.startsWith('DELIVERY'))).toEqual([
      'DELIVERY SUCCEEDED VERIFIED',
    ]);
  });

  it('is missing after DELIVERY_WAIT_SECONDS', async () => {
    const harness = await ended([{ pattern: '.', when: 'never' }]);
    await pollFor(harness, HOUR_MS - 2 * MINUTE_MS);
    expect((await delivery(harness))?.state).toBe('PENDING');
    await pollFor(harness, 3 * MINUTE_MS);
    expect(await delivery(harness)).toMatchObject({ state: 'MISSING', problems: [{ code: 'NOT_FOUND' }] });
    const calls = harness.buckets.counters.calls.list;
    await pollFor(harness, HOUR_MS);
    expect(harness.buckets.counters.calls.list).toBe(calls);
    expect(harness.logged.filter(({ event }) => event === 'delivery.changed')).toMatchObject([
      { severity: 'WARNING', delivery: 'MISSING' },
    ]);
  });

  it('is not the file of an earlier run', async () => {
    const harness = await ended([{ pattern: '.', when: 'earlier-run' }]);
    await pollFor(harness, HOUR_MS);
    expect((await delivery(harness))?.state).toBe('MISSING');
  });

  it.each([
    ['small', 'EMPTY', { file: 'empty' }],
    ['small', 'NOT_A_VIDEO', { file: 'not-a-video' }],
    ['small', 'TRUNCATED', { file: 'truncated' }],
    ['small', 'TRUNCATED', { file: 'truncated-index-last' }],
    ['small', 'ONE_FRAME', { file: 'one-frame' }],
    ['small', 'WRONG_RATE', { framesPerSecond: 10 }],
    ['small', 'WRONG_CHECKSUM', { wrongChecksum: true }],
  ] as const)('named %s is suspect: %s', async (pattern, code, rule) => {
    const harness = await ended([{ pattern, ...rule }]);
    await harness.poll();
    expect(await delivery(harness)).toMatchObject({ state: 'SUSPECT', problems: [{ code }] });
    expect(events(harness).at(-1)).toBe('DELIVERY SUCCEEDED SUSPECT');
  });

  it('is ambiguous if two exports wrote to one prefix at the same time', async () => {
    const harness = createHarness({ deliveries: [] });
    for (const jobKey of ['one', 'two']) {
      await harness.submit({ data: smallJob({ jobKey }) });
    }
    await harness.untilQuiet();
    await harness.poll();
    const records = await harness.records();
    for (const { value } of records) {
      expect(value).toMatchObject({
        delivery: { state: 'AMBIGUOUS', problems: [{ code: 'SHARED_PREFIX' }] },
      });
    }
  });

  it('is ambiguous if there are two', async () => {
    const harness = await ended([{ pattern: '.', files: 2 }]);
    await harness.poll();
    expect(await delivery(harness)).toMatchObject({
      state: 'AMBIGUOUS',
      problems: [{ code: 'SEVERAL_FILES' }],
    });
  });

  it('is found although the previous run of the job wrote to the same prefix', async () => {
    const harness = createHarness({ deliveries: [{ pattern: '.', name: 'plain' }] });
    for (const attempt of [1, 2]) {
      await harness.submit({ data: smallJob({ attempt }) });
      await harness.untilQuiet();
      harness.clock.advance(MINUTE_MS);
    }
    const states = (await harness.records()).map(({ value }) => 'delivery' in value && value.delivery);
    expect(states).toMatchObject([{ state: 'VERIFIED' }, { state: 'VERIFIED' }]);
  });

  it('is found among other files', async () => {
    const harness = await ended([]);
    for (const name of ['small-2.mp4', 'smallee-export-videoX.mp4', 'small/1.mp4', 'small.mp4.txt']) {
      const createdMs = harness.clock.now().getTime();
      harness.buckets.objects.put({ bucket, name, data: Buffer.from('x'), createdMs });
    }
    await harness.poll();
    expect((await delivery(harness))?.state).toBe('VERIFIED');
  });

  it('is found under a prefix with thousands of files', async () => {
    const harness = await ended([]);
    for (let n = 0; n < 1500; n += 1) {
      const createdMs = harness.clock.now().getTime();
      harness.buckets.objects.put({ bucket, name: `small-${n}.mp4`, data: Buffer.from('x'), createdMs });
    }
    await harness.poll();
    expect((await delivery(harness))?.state).toBe('VERIFIED');
    expect(harness.buckets.counters.calls.list).toBe(3);
  });

  it('is unchecked without permission, which is told once per bucket with the role to grant', async () => {
    const harness = createHarness({ deliveries: [] });
    harness.buckets.settings = { ...harness.buckets.settings, denied: [bucket] };
    for (let n = 0; n < 20; n += 1) {
      await harness.submit({ data: smallJob({ jobKey: `job/${n}` }) });
    }
    await harness.untilQuiet();
    for (const { value } of await harness.records()) {
      expect(value).toMatchObject({
        delivery: {
          state: 'UNCHECKED',
          problems: [{ code: 'DENIED', message: expect.stringContaining('roles/storage.objectViewer') }],
        },
      });
    }
    // As many as are looked for at once.
    expect(harness.buckets.counters.calls.list).toBeLessThanOrEqual(8);
    await harness.submit({ data: smallJob({ jobKey: 'job/later' }) });
    await harness.untilQuiet();
    expect(harness.logged.filter(({ event }) => event === 'delivery.denied')).toMatchObject([
      { bucket, role: 'roles/storage.objectViewer' },
    ]);
  });

  it('is not looked for in a bucket that does not respond, beyond a few tries for each run', async () => {
    const harness = createHarness({ deliveries: [] });
    for (let n = 0; n < 30; n += 1) {
      await harness.submit({ data: smallJob({ jobKey: `job/${n}` }) });
    }
    await harness.poll();
    harness.clock.advance(MINUTE_MS);
    harness.buckets.failNext('list', { kind: 'silence' }, 1000);
    await harness.poll();
    expect(harness.buckets.counters.calls.list).toBeGreaterThan(0);
    expect(harness.buckets.counters.calls.list).toBeLessThan(15);
  });

  it('is found when someone asks again after the role was granted', async () => {
    const harness = await ended([]);
    harness.buckets.settings = { ...harness.buckets.settings, denied: [bucket] };
    await harness.poll();
    expect((await delivery(harness))?.state).toBe('UNCHECKED');
    harness.buckets.settings = { ...harness.buckets.settings, denied: [] };
    await pollFor(harness, HOUR_MS);
    expect((await delivery(harness))?.state).toBe('UNCHECKED');
    const [stored] = await harness.records();
    if (stored) {
      await updateRecord(harness.services, stored, (record) =>
        record.state === 'SUCCEEDED' ? verifyAgain(record, harness.clock.now()) : undefined,
      );
    }
    await harness.poll();
    expect((await delivery(harness))?.state).toBe('VERIFIED');
    expect(events(harness).filter((event) => event.startsWith('DELIVERY'))).toEqual([
      'DELIVERY SUCCEEDED UNCHECKED',
      'DELIVERY SUCCEEDED PENDING',
      'DELIVERY SUCCEEDED VERIFIED',
    ]);
  });

  it('is missing if the bucket does not exist', async () => {
    const harness = await ended([]);
    harness.buckets.settings = { ...harness.buckets.settings, missing: [bucket] };
    await pollFor(harness, HOUR_MS);
    expect(await delivery(harness)).toMatchObject({ state: 'MISSING', problems: [{ code: 'NO_BUCKET' }] });
  });

  it.each(['list', 'read'] as const)('is verified after an outage of %s', async (call) => {
    const harness = await ended([]);
    harness.buckets.failNext(call, { kind: 'status', status: 503 }, 4);
    await pollFor(harness, 30 * MINUTE_MS);
    expect((await delivery(harness))?.state).toBe('VERIFIED');
  });

  it('is given up after SUBMIT_DEADLINE_HOURS without a response', async () => {
    const harness = await ended([], { environment: { SUBMIT_DEADLINE_HOURS: '2' } });
    harness.buckets.failNext('list', { kind: 'silence' }, 1000);
    await pollFor(harness, 3 * HOUR_MS);
    expect(await delivery(harness)).toMatchObject({
      state: 'UNCHECKED',
      problems: [{ code: 'UNAVAILABLE' }],
    });
  });

  /** A poller whose every video is replaced after it was listed. */
  async function replacing(harness: Harness) {
    const storage = await harness.services.storage?.();
    return harness.instance((services) => ({
      ...services,
      storage: async () => ({
        ...(storage as NonNullable<typeof storage>),
        list: async (...call: Parameters<NonNullable<typeof storage>['list']>) => {
          const listed = await (storage as NonNullable<typeof storage>).list(...call);
          const createdMs = harness.clock.now().getTime();
          harness.buckets.objects.put({ bucket, name: 'small.mp4', data: atRate('768', 5), createdMs });
          return listed;
        },
      }),
    }));
  }

  it('that was replaced while it was read is looked at again', async () => {
    const harness = await ended([{ pattern: '.', name: 'plain' }]);
    await (await replacing(harness)).poll();
    expect((await delivery(harness))?.state).toBe('PENDING');
    await pollFor(harness, 5 * MINUTE_MS);
    expect(await delivery(harness)).toMatchObject({ state: 'VERIFIED', bytes: bytesOf('768').length });
  });

  it('that was replaced while it was read is not missing, however late that is', async () => {
    const harness = await ended([{ pattern: '.', when: 'never' }]);
    await pollFor(harness, HOUR_MS - 2 * MINUTE_MS);
    const createdMs = harness.clock.now().getTime();
    harness.buckets.objects.put({ bucket, name: 'small.mp4', data: bytesOf('320'), createdMs });
    harness.clock.advance(HOUR_MS);
    await (await replacing(harness)).poll();
    expect((await delivery(harness))?.state).toBe('PENDING');
    await pollFor(harness, HOUR_MS);
    expect((await delivery(harness))?.state).toBe('VERIFIED');
  });

  it('is unchecked in Drive, and if VERIFY_DELIVERY is off', async () => {
    const drive = createHarness({ environment: { ALLOWED_DESTINATIONS: 'drive:*' }, deliveries: [] });
    const options = { fileFormat: 'MP4', driveDestination: { filenamePrefix: 'a' } };
    await drive.submit({ data: smallJob({}, { fileExportOptions: options }) });
    await drive.untilQuiet();
    expect(await delivery(drive)).toMatchObject({ state: 'UNCHECKED', problems: [{ code: 'DRIVE' }] });
    const off = await ended([], { environment: { VERIFY_DELIVERY: 'off' } });
    await off.poll();
    expect(await delivery(off)).toMatchObject({ state: 'UNCHECKED', problems: [{ code: 'SWITCHED_OFF' }] });
    expect(events(off)).toEqual(['STATE PENDING', 'STATE SUCCEEDED UNCHECKED']);
    expect(off.buckets.counters.calls.list + drive.buckets.counters.calls.list).toBe(0);
  });

  it('is no longer looked for if verification is switched off meanwhile', async () => {
    const harness = await ended([{ pattern: '.', when: 'never' }]);
    await harness.poll();
    const off = harness.instance(({ storage: _none, ...services }) => services);
    harness.clock.advance(5 * MINUTE_MS);
    await off.poll();
    expect(await delivery(harness)).toMatchObject({
      state: 'UNCHECKED',
      problems: [{ code: 'SWITCHED_OFF' }],
    });
  });

  it('is not looked for where ALLOWED_DESTINATIONS does not allow it', async () => {
    const harness = await ended([]);
    const narrow = harness.instance((services) => ({
      ...services,
      config: { ...services.config, allowedDestinations: ['gs://other/*'] },
    }));
    await narrow.poll();
    expect(await delivery(harness)).toMatchObject({
      state: 'UNCHECKED',
      problems: [{ code: 'NOT_ALLOWED' }],
    });
    expect(harness.buckets.counters.calls.list).toBe(0);
  });
});

describe('the copy to deliverTo', () => {
  /** Jobs with videos of their own, which are to be copied to `stable`, and one that is not. */
  async function copying(jobs: number) {
    const harness = createHarness({ deliveries: [] });
    const to = (filenamePrefix: string) => ({
      fileExportOptions: { fileFormat: 'MP4', cloudStorageDestination: { bucket, filenamePrefix } },
    });
    for (let n = 0; n < jobs; n += 1) {
      const deliverTo = `gs://stable/${n}.mp4`;
      await harness.submit({ data: smallJob({ jobKey: `copy/${n}`, deliverTo }, to(`copy-${n}-`)) });
    }
    await harness.submit({ data: smallJob({ jobKey: 'plain' }, to('plain-')) });
    await harness.poll();
    harness.clock.advance(MINUTE_MS);
    return harness;
  }
  const byKey = async (harness: Harness, jobKey: string) =>
    (await harness.records()).find(({ value }) => value.jobKey === jobKey)?.value;

  it.each([
    ['DENIED', [{ code: 'COPY_DENIED', message: expect.stringContaining('gs://stable') }]],
    ['UNAVAILABLE', []],
  ] as const)(
    'to a name that is taken, which cannot be read (%s), says nothing about the bucket of the video',
    async (kind, problems) => {
      const harness = await copying(1);
      const createdMs = harness.clock.now().getTime();
      harness.buckets.objects.put({ bucket: 'stable', name: '0.mp4', data: Buffer.from('x'), createdMs });
      const storage = await harness.services.storage?.();
      const poller = harness.instance((services) => ({
        ...services,
        storage: async () => ({
          ...(storage as NonNullable<typeof storage>),
          get: async () => Promise.reject(new StorageError(kind, 'no')),
        }),
      }));
      await poller.poll();
      expect(await byKey(harness, 'copy/0')).toMatchObject({ delivery: { state: 'VERIFIED', problems } });
      expect(await byKey(harness, 'plain')).toMatchObject({ delivery: { state: 'VERIFIED' } });
      expect(harness.logged.filter(({ event }) => event === 'delivery.denied')).toEqual([]);
    },
  );

  it('goes only where jobs may write', async () => {
    const harness = await copying(1);
    const narrow = harness.instance((services) => ({
      ...services,
      config: { ...services.config, allowedDestinations: [`gs://${bucket}/*`] },
    }));
    await narrow.poll();
    expect(await byKey(harness, 'copy/0')).toMatchObject({
      delivery: { state: 'VERIFIED', problems: [{ code: 'COPY_DENIED' }] },
    });
    expect(harness.buckets.counters.calls.copy).toBe(0);
  });

  it('replaces nothing', async () => {
    const harness = await copying(1);
    const createdMs = harness.clock.now().getTime();
    harness.buckets.objects.put({ bucket: 'stable', name: '0.mp4', data: Buffer.from('x'), createdMs });
    await harness.poll();
    const record = await byKey(harness, 'copy/0');
    expect(record).toMatchObject({
      delivery: { state: 'VERIFIED', problems: [{ code: 'COPY_NAME_TAKEN' }] },
    });
    expect(record).not.toHaveProperty('deliveredTo');
    expect(harness.buckets.objects.get('stable', '0.mp4')?.data.length).toBe(1);
  });

  it('is recognized if it was made although the response was lost', async () => {
    const harness = await copying(1);
    harness.buckets.failNext('copy', { kind: 'lost' });
    await harness.poll();
    expect(await byKey(harness, 'copy/0')).not.toHaveProperty('deliveredTo');
    await pollFor(harness, 5 * MINUTE_MS);
    expect(await byKey(harness, 'copy/0')).toMatchObject({
      delivery: { state: 'VERIFIED', problems: [] },
      deliveredTo: 'gs://stable/0.mp4',
    });
  });

  it('is not tried for every video of a run if the bucket does not respond', async () => {
    const harness = await copying(18);
    harness.buckets.failNext('copy', { kind: 'silence' }, 1000);
    await harness.poll();
    expect(harness.buckets.counters.calls.copy).toBeLessThan(15);
    expect(await byKey(harness, 'plain')).toMatchObject({ delivery: { state: 'VERIFIED' } });
    expect(await byKey(harness, 'copy/17')).toMatchObject({ delivery: { state: 'VERIFIED' } });
  });
});

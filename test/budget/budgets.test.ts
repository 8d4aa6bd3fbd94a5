import { describe, expect, it } from 'vitest';

import { DAY_MS, MINUTE_MS, SECOND_MS } from '../../shared/clock.ts';
import { isReadable } from '../../shared/store/store.ts';
import { smallJob } from '../harness.ts';
import { createBudgetRig, hold } from './rig.ts';

describe('a budget', () => {
  it('lets jobs start until its limit is reached, and holds those that come later', async () => {
    const rig = createBudgetRig();
    rig.budget('all', hold(10));
    await rig.ended('ve1-a', 9);
    const first = await rig.publish('first');
    expect((await rig.record(first)).state).toBe('PENDING');
    await rig.ended('ve1-b', 1);
    rig.clock.advance(6 * SECOND_MS);
    await rig.poll();
    const held = await rig.record(await rig.publish('second'));
    expect(held).toMatchObject({ state: 'WAITING', waitingFor: 'BUDGET', heldBy: 'all', submissions: 0 });
  });

  it('is noticed without a poll by an instance that has seen none', async () => {
    const rig = createBudgetRig();
    await rig.publish('before');
    rig.budget('all', hold(1));
    await rig.ended('ve1-a', 2);
    rig.clock.advance(6 * SECOND_MS);
    expect(await rig.record(await rig.publish('after'))).toMatchObject({ waitingFor: 'BUDGET' });
  });

  it.each([
    ['another project', { project: 'other' }],
    ['another batch', { batchIdPrefix: 'weekly' }],
    ['another label', { label: { key: 'team', value: 'fire' } }],
  ])('neither counts nor holds jobs of %s', async (_, match) => {
    const rig = createBudgetRig();
    rig.budget('other', hold(1, { match }));
    await rig.ended('ve1-a', 2, { batchId: 'daily@1' });
    await rig.poll();
    const id = await rig.publish('job', { batchId: 'daily@1', labels: { team: 'water' } });
    expect((await rig.record(id)).state).toBe('PENDING');
    const status = rig.memory.peek('exportBudgetStatus/current');
    expect(status).toMatchObject({ budgets: [{ id: 'other', spentEecuSeconds: 0, holds: false }] });
  });

  it.each([
    ['its project', { project: 'demo-test' }],
    ['the prefix of its batch', { batchIdPrefix: 'weekly' }],
    ['its label', { label: { key: 'team', value: 'water' } }],
    ['all three', { project: 'demo-test', batchIdPrefix: 'weekly', label: { key: 'team', value: 'water' } }],
  ])('covers a job by %s', async (_, match) => {
    const rig = createBudgetRig();
    rig.budget('mine', hold(1, { match }));
    const change = { batchId: 'weekly@1', labels: { team: 'water' } };
    await rig.ended('ve1-a', 2, change);
    expect(await rig.record(await rig.publish('job', change))).toMatchObject({ heldBy: 'mine' });
  });

  it('counts what running jobs have cost so far', async () => {
    const rig = createBudgetRig({ simulator: { settings: { runMs: [60 * MINUTE_MS, 60 * MINUTE_MS] } } });
    rig.budget('all', hold(0.1));
    await rig.publish('first');
    for (let minute = 0; minute < 40; minute += 1) {
      await rig.poll();
      rig.clock.advance(MINUTE_MS);
    }
    const [running] = await rig.records();
    expect(running?.value.state).toBe('RUNNING');
    expect(await rig.record(await rig.publish('second'))).toMatchObject({ waitingFor: 'BUDGET' });
  });

  it('does not hold up the jobs of others, or the queue', async () => {
    const rig = createBudgetRig();
    rig.budget('water', hold(1, { match: { label: { key: 'team', value: 'water' } } }));
    await rig.ended('ve1-a', 2, { labels: { team: 'water' } });
    await rig.publish('held', { labels: { team: 'water' } });
    rig.clock.advance(6 * SECOND_MS);
    const other = await rig.publish('other', { labels: { team: 'fire' } });
    expect((await rig.record(other)).state).toBe('PENDING');
  });

  it('releases its jobs when its limit is raised', async () => {
    const rig = createBudgetRig();
    rig.budget('all', hold(1));
    await rig.ended('ve1-a', 2);
    const id = await rig.publish('held');
    await rig.poll();
    expect(await rig.record(id)).toMatchObject({ waitingFor: 'BUDGET' });
    rig.budget('all', hold(3));
    await rig.poll();
    expect((await rig.record(id)).state).toBe('PENDING');
  });

  it('leaves the records of its jobs alone while it holds them', async () => {
    const rig = createBudgetRig();
    rig.budget('all', hold(1));
    await rig.ended('ve1-a', 2);
    const id = await rig.publish('held');
    const { revision } = await rig.record(id);
    for (let poll = 0; poll < 3; poll += 1) {
      rig.clock.advance(MINUTE_MS);
      await rig.poll();
    }
    expect((await rig.record(id)).revision).toBe(revision);
  });

  it('releases its jobs when it is deleted', async () => {
    const rig = createBudgetRig();
    rig.budget('all', hold(1));
    await rig.ended('ve1-a', 2);
    const id = await rig.publish('held');
    rig.memory.remove('exportBudgets/all');
    await rig.poll();
    expect((await rig.record(id)).state).toBe('PENDING');
  });

  it('releases its jobs when the month turns in its time zone', async () => {
    const rig = createBudgetRig();
    rig.budget('all', hold(1, { timeZone: 'Asia/Tokyo' }));
    await rig.ended('ve1-a', 2);
    const id = await rig.publish('held');
    rig.clock.advance(Date.parse('2026-11-30T14:59:00Z') - rig.clock.now().getTime());
    await rig.poll();
    expect(await rig.record(id)).toMatchObject({ waitingFor: 'BUDGET' });
    rig.clock.advance(MINUTE_MS);
    await rig.poll();
    expect((await rig.record(id)).state).toBe('PENDING');
  });

  it('lets jobs start in a new month before the first poll of it', async () => {
    const rig = createBudgetRig();
    rig.budget('all', hold(1));
    await rig.ended('ve1-a', 2);
    rig.clock.advance(Date.parse('2026-11-30T23:59:30Z') - rig.clock.now().getTime());
    await rig.poll();
    expect(await rig.record(await rig.publish('in November'))).toMatchObject({ waitingFor: 'BUDGET' });
    rig.clock.advance(40 * SECOND_MS);
    expect((await rig.record(await rig.publish('in December'))).state).toBe('PENDING');
  });

  it('moves jobs that already wait in the queue out of it', async () => {
    const rig = createBudgetRig({ environment: { MAX_ACTIVE_OPERATIONS: '1' } });
    await rig.publish('first');
    const queued = await rig.publish('second');
    expect(await rig.record(queued)).toMatchObject({ waitingFor: 'QUEUE' });
    rig.budget('all', hold(0));
    for (let poll = 0; poll < 30 && (await rig.record(queued)).state !== 'PENDING'; poll += 1) {
      rig.clock.advance(MINUTE_MS);
      await rig.poll();
    }
    expect(await rig.record(queued)).toMatchObject({ waitingFor: 'BUDGET', heldBy: 'all', submissions: 0 });
  });

  it('reports each threshold once, and again after its limit was changed', async () => {
    const rig = createBudgetRig();
    const thresholds = [
      { percent: 50, action: 'NOTIFY' },
      { percent: 100, action: 'HOLD' },
    ] as const;
    rig.budget('all', hold(10, { thresholds: [...thresholds] }));
    await rig.ended('ve1-a', 6);
    await Promise.all([rig.poll(), rig.instance().poll()]);
    await rig.poll();
    expect(rig.told()).toEqual([
      expect.objectContaining({ budgetId: 'all', percent: 50, period: '2026-11' }),
    ]);
    await rig.ended('ve1-b', 6);
    await rig.poll();
    await rig.poll();
    expect(rig.told().map(({ percent }) => percent)).toEqual([50, 100]);
    rig.budget('all', hold(12, { thresholds: [...thresholds] }));
    await rig.poll();
    expect(rig.told().map(({ percent }) => percent)).toEqual([50, 100, 50, 100]);
    expect(rig.logged.filter(({ event }) => event === 'budget.threshold')).toHaveLength(4);
  });

  it('keeps an event that could not be published, and publishes it later', async () => {
    const rig = createBudgetRig();
    rig.budget('all', hold(1));
    await rig.ended('ve1-a', 2);
    rig.publisher.failing = true;
    await rig.poll();
    expect(rig.told()).toEqual([]);
    rig.publisher.failing = false;
    await rig.poll();
    await rig.poll();
    expect(rig.told()).toHaveLength(1);
  });

  it('keeps only those events that could not be published', async () => {
    const rig = createBudgetRig();
    const thresholds = [50, 100].map((percent) => ({ percent, action: 'NOTIFY' as const }));
    rig.budget('all', hold(1, { thresholds }));
    await rig.ended('ve1-a', 2);
    const { publisher } = rig.services;
    const half = rig.instance((services) => ({
      ...services,
      publisher: {
        ...publisher,
        publish: async (topic, messages) => [
          ...(await publisher.publish(topic, messages.slice(0, 1), 1000)),
          ...messages.slice(1).map(() => ({ error: new Error('the topic does not answer') })),
        ],
      },
    }));
    await half.poll();
    expect(rig.told().map(({ percent }) => percent)).toEqual([50]);
    await rig.poll();
    await rig.poll();
    expect(rig.told().map(({ percent }) => percent)).toEqual([50, 100]);
  });

  it('cancels what runs, and lets nothing new start', async () => {
    const rig = createBudgetRig({ simulator: { settings: { runMs: [60 * MINUTE_MS, 60 * MINUTE_MS] } } });
    const running = await rig.publish('running');
    await rig.ended('ve1-a', 2);
    rig.budget('all', hold(1, { thresholds: [{ percent: 100, action: 'CANCEL' }] }));
    const waiting = await rig.publish('waiting', { attempt: 2 });
    for (let minute = 0; minute < 5; minute += 1) {
      rig.clock.advance(MINUTE_MS);
      await rig.poll();
    }
    expect(await rig.record(running)).toMatchObject({
      state: 'CANCELLED',
      error: { status: 'BUDGET', retryable: true },
    });
    expect(await rig.record(waiting)).toMatchObject({ state: expect.stringMatching(/WAITING|CANCELLED/) });
    expect(await rig.record(await rig.publish('third'))).toMatchObject({ heldBy: 'all' });
  });

  it('holds its jobs across a second month that is used up too', async () => {
    const rig = createBudgetRig();
    rig.budget('all', hold(1));
    await rig.ended('ve1-a', 2);
    const id = await rig.publish('held');
    await rig.ended('ve1-b', 2, { finishedAt: new Date('2026-12-01T00:00:30Z') });
    rig.clock.advance(Date.parse('2026-12-01T00:01:00Z') - rig.clock.now().getTime());
    await rig.poll();
    expect(await rig.record(id)).toMatchObject({ waitingFor: 'BUDGET', heldBy: 'all' });
    rig.clock.advance(31 * DAY_MS);
    await rig.poll();
    expect((await rig.record(id)).state).toBe('PENDING');
  });
});

describe('a budget that cannot be read', () => {
  const broken = { match: {}, period: 'WEEK', limitEecuHours: 'many', thresholds: 'x'.repeat(10_000) };

  it('holds nothing, is logged, and does not stop other budgets', async () => {
    const rig = createBudgetRig();
    rig.budget('broken', broken);
    rig.budget('good', hold(1, { match: { label: { key: 'team', value: 'water' } } }));
    await rig.ended('ve1-a', 2, { labels: { team: 'water' } });
    await rig.poll();
    expect((await rig.record(await rig.publish('free'))).state).toBe('PENDING');
    expect(await rig.record(await rig.publish('held', { labels: { team: 'water' } }))).toMatchObject({
      heldBy: 'good',
    });
    expect(rig.logged.some(({ event, budgetId }) => event === 'budget.failed' && budgetId === 'broken')).toBe(
      true,
    );
  });

  it('holds the jobs that it covers if it is strict', async () => {
    const rig = createBudgetRig();
    const match = { label: { key: 'team', value: 'water' } };
    rig.budget('broken', { ...broken, match, strict: true });
    await rig.poll();
    expect((await rig.record(await rig.publish('free'))).state).toBe('PENDING');
    expect(await rig.record(await rig.publish('held', { labels: { team: 'water' } }))).toMatchObject({
      heldBy: 'broken',
    });
  });

  it.each([
    [false, 'PENDING'],
    [true, 'WAITING'],
  ])('because its sum fails: strict %s leaves a job %s', async (strict, state) => {
    const rig = createBudgetRig();
    rig.budget('all', hold(10, { strict }));
    const { records } = rig.memory;
    const failing = rig.instance((services) => ({
      ...services,
      store: {
        ...services.store,
        records: { ...records, sum: async () => Promise.reject(new Error('the index is missing')) },
      },
    }));
    await failing.poll();
    const submitted = await failing.submit({ data: smallJob() });
    expect(await rig.record('recordId' in submitted ? submitted.recordId : '')).toMatchObject({ state });
  });
});

describe('the figures of budgets', () => {
  it('are made again if they cannot be read, so that nothing stays held', async () => {
    const rig = createBudgetRig();
    rig.budget('all', hold(1));
    await rig.ended('ve1-a', 2);
    const id = await rig.publish('held');
    rig.memory.put('exportBudgetStatus/current', { computedAt: 'yesterday' });
    rig.budget('all', hold(10));
    rig.clock.advance(MINUTE_MS);
    await rig.poll();
    expect(rig.memory.peek('exportBudgetStatus/current')).toMatchObject({ budgets: [{ holds: false }] });
    expect((await rig.record(id)).state).toBe('PENDING');
  });

  it('stay readable if costs are too large to be summed, and only that budget fails', async () => {
    const rig = createBudgetRig();
    rig.budget('all', hold(1));
    rig.budget('other', hold(1, { match: { project: 'other' } }));
    await rig.ended('ve1-a', 0, { eecuSeconds: 1e308 });
    await rig.ended('ve1-b', 0, { eecuSeconds: 1e308 });
    await rig.poll();
    const found = await rig.store.budgetStatus.get('current');
    expect(found && isReadable(found) && found.value.budgets).toMatchObject([
      { id: 'all', problem: expect.any(String) as string },
      { id: 'other', holds: false },
    ]);
  });

  it('that take longer to read than they are valid in an instance are used nevertheless', async () => {
    const rig = createBudgetRig();
    rig.budget('all', hold(1));
    await rig.ended('ve1-a', 2);
    await rig.poll();
    let reads = 0;
    const slow = rig.instance((services) => ({
      ...services,
      store: {
        ...services.store,
        budgetStatus: {
          ...services.store.budgetStatus,
          get: (id) => {
            reads += 1;
            rig.clock.advance(reads > 10 ? 0 : 6 * SECOND_MS);
            return services.store.budgetStatus.get(id);
          },
        },
      },
    }));
    const job = { project: 'demo-test', labels: {} };
    expect(await Promise.all([slow.gate.budgets.holdOn(job), slow.gate.budgets.holdOn(job)])).toEqual([
      'all',
      'all',
    ]);
    expect(reads).toBe(1);
  });
});

describe('a record that cannot be written', () => {
  it('stops neither its budget from canceling other jobs nor other budgets', async () => {
    const rig = createBudgetRig({ simulator: { settings: { runMs: [60 * MINUTE_MS, 60 * MINUTE_MS] } } });
    const cancel = { thresholds: [{ percent: 100, action: 'CANCEL' as const }] };
    const match = { label: { key: 'team', value: 'water' } };
    rig.budget('b', hold(1, { match }));
    await rig.ended('ve1-a', 2, { labels: { team: 'water' } });
    const held = await rig.publish('held', { labels: { team: 'water' } });
    const bad = await rig.publish('bad', { labels: { team: 'fire' } });
    const good = await rig.publish('good', { labels: { team: 'fire' } });
    rig.budget('a', { ...hold(0, { match: { label: { key: 'team', value: 'fire' } } }), ...cancel });
    rig.budget('b', hold(10, { match }));
    const { store } = rig.services;
    const failing = rig.instance((services) => ({
      ...services,
      store: {
        ...store,
        records: {
          ...store.records,
          replace: async (stored, value) => {
            if (stored.id === bad) {
              throw new Error('the document is too large');
            }
            return store.records.replace(stored, value);
          },
        },
      },
    }));
    rig.clock.advance(MINUTE_MS);
    await failing.poll();
    expect(await rig.record(good)).toMatchObject({ cancelReason: { status: 'BUDGET' } });
    const operation = rig.simulator.operations().find(({ requestId }) => requestId === good);
    expect(operation?.cancelRequested).toBe(true);
    expect(await rig.record(held)).not.toHaveProperty('heldBy');
  });
});

import { randomBytes } from 'node:crypto';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { StaleWriteError } from '../../shared/errors.ts';
import type { ExportRecord, RecordState } from '../../shared/model/record.ts';
import { budgetQueries, spendingQueries } from '../../shared/store/budget-queries.ts';
import type { Fields } from '../../shared/store/fields.ts';
import { costQueries, listQueries } from '../../shared/store/list-queries.ts';
import { pageQueries } from '../../shared/store/page-queries.ts';
import { recordQueries, type Query } from '../../shared/store/queries.ts';
import {
  cursorOf,
  isReadable,
  type Created,
  type Documents,
  type Found,
  type Store,
  type Stored,
  toReplace,
} from '../../shared/store/store.ts';
import { sample, samples } from '../record/samples.ts';

/** An empty store, and the ways in which other programs access its documents. */
export interface Opened {
  readonly store: Store;
  /** Writes a document whole and unparsed; `path` is `collection/id`. */
  readonly put: (path: string, fields: Fields) => Promise<void>;
  /** A document unparsed. */
  readonly peek: (path: string) => Promise<Fields | undefined>;
  /** Deletes one document, as TTL does: its subcollections stay. */
  readonly remove: (path: string) => Promise<void>;
}

const now = new Date('2026-11-23T12:00:00.000Z');
const at = (ms: number) => new Date(now.getTime() + ms);

/** The contract of every store: one suite, which runs against each. */
export function describeStore(
  name: string,
  open: () => Promise<Opened>,
  { watches = true }: { readonly watches?: boolean } = {},
): void {
  describe(`${name}: a store`, () => {
    let opened: Opened;
    let store: Store;
    beforeEach(async () => {
      opened = await open();
      store = opened.store;
    });
    afterEach(() => store.close());

    describeDocuments(() => opened);
    describeRequests(() => opened);
    describe('queries', () => describeQueries(() => opened));
    if (watches) {
      describe('watches', () => describeWatches(() => opened));
    }
  });
}

function describeDocuments(current: () => Opened): void {
  it.each(Object.entries(samples))('returns a %s record as it was stored', async (state, record) => {
    const { records } = current().store;
    await records.create('id', record);
    const read = readable(await records.get('id'));
    expect(read).toEqual({ id: 'id', value: record, version: read.version });
    expect(read.value.state).toBe(state);
    expect(read.value.createdAt.getTime()).toBe(record.createdAt.getTime());
  });

  it('shares no objects with its callers', async () => {
    const { records } = current().store;
    const labels = { team: 'water' };
    await records.create('id', sample('PENDING', { labels }));
    labels.team = 'changed';
    const read = readable(await records.get('id'));
    expect(read.value.labels).toEqual({ team: 'water' });
    Object.assign(read.value.labels, { team: 'changed' });
    expect(readable(await records.get('id')).value.labels).toEqual({ team: 'water' });
  });

  it('stores one document of every kind, including bytes', async () => {
    const { projects, sweeps, lists, rejectedMessages, batches, settings } = current().store;
    const updatedAt = at(1);
    const known = new Uint8Array([0, 1, 255]);
    await roundTrip(projects, { closures: 1, closedUntil: at(5), closedFor: 'QUEUE', updatedAt });
    await roundTrip(sweeps, { completedAt: at(0), pages: 3, known, updatedAt });
    await roundTrip(lists, {
      startedAt: at(0),
      pageToken: 'p',
      pages: 3,
      hidingAt: at(1),
      shown: known,
      updatedAt,
    });
    await roundTrip(rejectedMessages, {
      reason: 'INVALID_JOB',
      issues: [{ path: 'request', message: 'is missing' }],
      source: 'submitExport',
      attributes: { 'a.b/c': 'd' },
      data: 'x'.repeat(8192),
      createdAt: now,
      expireAt: at(9),
    });
    await roundTrip(batches, {
      state: 'RUNNING',
      batchId: 'weekly',
      run: '1',
      manifestHash: 'h',
      messageId: '1',
      jobs: 3,
      published: 3,
      counts: { RUNNING: 2, SUCCEEDED: 1 },
      revision: 4,
      createdAt: now,
      updatedAt,
    });
    await roundTrip(settings, {
      earthEngineProject: 'p',
      allowedProjects: ['p'],
      allowedDestinations: ['gs://b/*'],
      topics: { jobs: 'j', batches: 'b', cancellations: 'c', events: 'e', deadLetters: 'd' },
      retentionDays: 90,
      maxActiveOperations: 10,
      submitDeadlineMs: 1,
      updatedAt,
    });
  });

  it.each([
    ['a/b'],
    [''],
    ['a//b'],
    ['/'],
    ['.'],
    ['..'],
    ['__x__'],
    ['x'.repeat(1501)],
    ['é'.repeat(751)],
    ['\ud800'],
  ])('accepts no document whose id is %j', async (id) => {
    const { rejectedMessages } = current().store;
    const document = {
      reason: 'x',
      issues: [],
      source: 'x',
      attributes: {},
      data: '',
      createdAt: now,
      expireAt: now,
    };
    await expect(rejectedMessages.create(id, document)).rejects.toMatchObject({ code: 'STORE_FAILED' });
    await expect(rejectedMessages.get(id)).rejects.toMatchObject({ code: 'STORE_FAILED' });
  });

  it.each([
    ['a time after the year 9999', { submittedAt: new Date('+010000-01-01T00:00:00Z') }],
    ['a time before the year 1', { submittedAt: new Date('0000-12-31T23:59:59Z') }],
    ['half a surrogate pair', { labels: { a: 'b\ud800' } }],
    ['half a surrogate pair in a name', { labels: { '\ud800': 'b' } }],
    ['a reserved name', { labels: { __a__: 'b' } }],
    ['a name of over 1,500 bytes', { labels: { ['é'.repeat(751)]: 'b' } }],
    ['over 1 MiB', { labels: { a: 'x'.repeat(1_048_576) } }],
  ])('accepts no document with %s', async (_, fields) => {
    const { records } = current().store;
    await expect(records.create('id', sample('PENDING', fields))).rejects.toMatchObject({
      code: 'STORE_FAILED',
    });
    const stored = createdIn(await records.create('id', sample('PENDING')));
    await expect(records.replace(stored, sample('PENDING', fields))).rejects.toMatchObject({
      code: 'STORE_FAILED',
    });
    expect(readable(await records.get('id'))).toEqual(stored);
  });

  it('accepts what just fits', async () => {
    const { records } = current().store;
    const last = new Date('9999-12-31T23:59:59.999Z');
    const record = sample('PENDING', {
      submittedAt: last,
      labels: { a: '😀'.repeat(250_000) },
    });
    await records.create('x'.repeat(1500), record);
    expect(readable(await records.get('x'.repeat(1500))).value).toEqual(record);
  });

  it('finds nothing if there is nothing', async () => {
    const { records } = current().store;
    expect(await records.get('nothing')).toBeUndefined();
    expect(await records.getMany(['nothing'])).toEqual([]);
    expect(await records.getMany([])).toEqual([]);
  });

  it('reads many at once, without duplicates', async () => {
    const { records } = current().store;
    await Promise.all(['a', 'b', 'c'].map((id) => records.create(id, samples.PENDING)));
    expect(ids(await records.getMany(['a', 'c', 'a', 'nothing'])).toSorted()).toEqual(['a', 'c']);
  });

  it('creates one of ten concurrent creates, and returns the existing document to the others', async () => {
    const { records } = current().store;
    const outcomes = await Promise.all(
      Array.from({ length: 10 }, (_, n) =>
        records.create('id', sample('SUBMITTING', { messageId: String(n) }), bytes(`request ${n}`)),
      ),
    );
    const created = outcomes.flatMap((outcome) => ('created' in outcome ? [outcome.created] : []));
    expect(created).toHaveLength(1);
    const winner = created[0]?.value.messageId;
    for (const outcome of outcomes) {
      if ('existing' in outcome) {
        expect(readable(outcome.existing).value.messageId).toBe(winner);
      }
    }
    expect(await records.readRequest('id')).toEqual(bytes(`request ${winner}`));
  });

  it('replaces what was created and what was read, unless it has changed since', async () => {
    const { records } = current().store;
    const claimed = createdIn(await records.create('id', samples.SUBMITTING));
    const waiting = await records.replace(claimed, sample('WAITING', { revision: 2 }));
    const read = readable(await records.get('id'));
    expect(read).toEqual(waiting);
    await records.replace(waiting, sample('WAITING', { revision: 3 }));
    await expect(records.replace(read, sample('WAITING', { revision: 4 }))).rejects.toMatchObject({
      code: 'WRITE_STALE',
    });
    expect(readable(await records.get('id')).value.revision).toBe(3);
  });

  it('accepts one of ten concurrent writes', async () => {
    const { records } = current().store;
    const stored = createdIn(await records.create('id', samples.PENDING));
    const outcomes = await Promise.allSettled(
      Array.from({ length: 10 }, (_, n) =>
        records.replace(stored, sample('PENDING', { revision: samples.PENDING.revision + n + 1 })),
      ),
    );
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  it('does not replace a deleted document', async () => {
    const { store, remove } = current();
    const stored = createdIn(await store.records.create('id', samples.PENDING));
    await remove('videoExports/id');
    await expect(store.records.replace(stored, samples.RUNNING)).rejects.toMatchObject({
      code: 'WRITE_STALE',
    });
    expect(await store.records.get('id')).toBeUndefined();
  });

  it('checks the condition even of a write that changes nothing', async () => {
    const { projects } = current().store;
    const first = createdIn(await projects.create('p', { closures: 0, updatedAt: now }));
    await projects.replace(first, { closures: 1, updatedAt: now });
    await expect(projects.replace(first, { ...first.value })).rejects.toMatchObject({ code: 'WRITE_STALE' });
    const read = readable(await projects.get('p'));
    expect((await projects.replace(read, { ...read.value })).value).toEqual({ closures: 1, updatedAt: now });
  });

  it('deletes fields that the next value lacks, and keeps fields beyond the schema', async () => {
    const { store, put, peek } = current();
    await put('videoExports/id', { ...samples.SUBMITTING, note: 'by hand', setAside: { problem: 'old' } });
    await store.records.replace(readable(await store.records.get('id')), samples.RUNNING);
    const { value } = readable(await store.records.get('id'));
    expect(value).toEqual(samples.RUNNING);
    expect(await peek('videoExports/id')).toEqual({
      ...samples.RUNNING,
      note: 'by hand',
      setAside: { problem: 'old' },
    });
  });

  it('treats undefined as absent', async () => {
    const { store, peek } = current();
    const labels = { team: 'water' };
    const stored = createdIn(
      await store.records.create('id', sample('WAITING', { labels, batchId: undefined, error: undefined })),
    );
    await store.records.replace(stored, sample('WAITING', { jobKey: undefined, searches: undefined }));
    expect(Object.keys((await peek('videoExports/id')) ?? {})).not.toContain('jobKey');
    expect(readable(await store.records.get('id')).value.batchId).toBe(samples.WAITING.batchId);
  });

  it('returns a document that it cannot parse as unreadable, beside readable ones', async () => {
    const { store, put } = current();
    const { records } = store;
    await records.create('good', sample('PENDING', { dueAt: at(-1) }));
    await put('videoExports/bad', { ...samples.PENDING, dueAt: at(-2), attempt: 'one' });
    const found = await records.find(recordQueries.dueOperations(now), { limit: 10 });
    expect(found.map((document) => [document.id, isReadable(document)])).toEqual([
      ['bad', false],
      ['good', true],
    ]);
    for (const bad of [await records.get('bad'), (await records.getMany(['bad']))[0]]) {
      if (!bad || isReadable(bad)) {
        throw new Error('it should be unreadable');
      }
      expect(bad.unreadable).toMatchObject({ code: 'DOCUMENT_UNREADABLE' });
      expect(bad.unreadable.message).toContain('videoExports/bad cannot be read: attempt: ');
      expect(bad.fields).toMatchObject({ attempt: 'one', project: samples.PENDING.project, dueAt: at(-2) });
    }
    const outcome = await records.create('bad', samples.SUBMITTING);
    expect('existing' in outcome && isReadable(outcome.existing)).toBe(false);
  });

  it('replaces an unreadable document as a whole', async () => {
    const { store, put } = current();
    await put('videoExportSweeps/p', { completedAt: 'yesterday', surplus: 1 });
    const found = await store.sweeps.get('p');
    if (!found || isReadable(found)) {
      throw new Error('it should be unreadable');
    }
    const sweep = { completedAt: at(0), pages: 1, known: new Uint8Array([1]), updatedAt: at(1) };
    const replaced = await store.sweeps.replace(toReplace(found), sweep);
    expect(await store.sweeps.get('p')).toEqual(replaced);
    expect(replaced.value).toEqual(sweep);
    await expect(store.sweeps.replace(toReplace(found), sweep)).rejects.toBeInstanceOf(StaleWriteError);
  });

  it('defers an unreadable document', async () => {
    const { store, put, peek } = current();
    await put('videoExports/bad', { ...samples.PENDING, dueAt: at(-1), attempt: 'one' });
    await store.records.defer('bad', 'attempt is not a number', at(1000));
    expect(await store.records.find(recordQueries.dueOperations(now), { limit: 1 })).toEqual([]);
    expect(await peek('videoExports/bad')).toEqual({
      ...samples.PENDING,
      attempt: 'one',
      setAside: { problem: 'attempt is not a number' },
      dueAt: at(1000),
    });
    await expect(store.records.defer('nothing', 'it was deleted', now)).resolves.toBeUndefined();
  });
}

function describeRequests(current: () => Opened): void {
  it.each([
    ['nothing', () => Buffer.alloc(0)],
    ['one byte', () => Buffer.from([0])],
    ['2 KB of JSON', () => Buffer.from(JSON.stringify({ values: Array(200).fill('aXb') }))],
    ['exactly two parts of random bytes', () => randomBytes(1_999_000)],
    ['10 MiB of numbers', () => Buffer.from(numbers(10_485_760))],
    ['10 MiB of base64', () => Buffer.from(randomBytes(7_864_320).toString('base64'))],
    ['10 MiB of incompressible text', () => randomText(10_485_760)],
  ])('returns a request of %s unchanged', async (_, make) => {
    const { records } = current().store;
    const request = make();
    await records.create('id', samples.SUBMITTING, request);
    expect(Buffer.compare(await records.readRequest('id'), request)).toBe(0);
  });

  it('replaces the request, longer or shorter, in the same write', async () => {
    const { records } = current().store;
    let stored = createdIn(await records.create('id', samples.SUBMITTING, randomBytes(2_500_000)));
    for (const [revision, size] of [10, 3_100_000, 1_200_000].entries()) {
      const request = randomBytes(size);
      stored = await records.replace(stored, sample('SUBMITTING', { revision: revision + 2 }), request);
      expect(Buffer.compare(await records.readRequest('id'), request)).toBe(0);
    }
    const read = readable(await records.get('id'));
    const last = await records.readRequest('id');
    await records.replace(read, samples.PENDING);
    expect(Buffer.compare(await records.readRequest('id'), last)).toBe(0);
  });

  it('leaves the request unchanged if the write is stale', async () => {
    const { records } = current().store;
    const stored = createdIn(await records.create('id', samples.SUBMITTING, bytes('first')));
    await records.replace(stored, sample('SUBMITTING', { revision: 2 }), bytes('second'));
    await expect(
      records.replace(stored, sample('SUBMITTING', { revision: 3 }), bytes('third')),
    ).rejects.toMatchObject({ code: 'WRITE_STALE' });
    expect(await records.readRequest('id')).toEqual(bytes('second'));
  });

  it('has no request for a record without one', async () => {
    const { records } = current().store;
    await records.create('id', samples.CANCELLED);
    await expect(records.readRequest('id')).rejects.toMatchObject({ code: 'DOCUMENT_UNREADABLE' });
  });

  it('overwrites the request of a record that has expired', async () => {
    const { store, remove } = current();
    await store.records.create('id', samples.SUCCEEDED, randomBytes(2_500_000));
    await remove('videoExports/id');
    createdIn(await store.records.create('id', samples.SUBMITTING, bytes('again')));
    expect(await store.records.readRequest('id')).toEqual(bytes('again'));
  });
}

function describeQueries(current: () => Opened): void {
  beforeEach(async () => {
    const { records } = current().store;
    await Promise.all(
      queried.map(([id, record]) => records.create(id, record).then((outcome) => createdIn(outcome))),
    );
  });

  it.each(expected)('finds %s', async (_, query, wanted) => {
    const { records } = current().store;
    expect(ids(await records.find(query, { limit: 100 }))).toEqual(wanted);
    expect(await records.count(query)).toBe(wanted.length);
    expect(ids(await records.find(query, { limit: 1 }))).toEqual(wanted.slice(0, 1));

    for (const limit of [1, 2]) {
      const paged: string[] = [];
      for (let page = await records.find(query, { limit }); page.length > 0;) {
        paged.push(...ids(page));
        const last = page.at(-1);
        page = last ? await records.find(query, { limit, after: cursorOf(query, last) }) : [];
      }
      expect(paged).toEqual(wanted);
    }
  });

  it.each([
    ['a part of a document', { limit: 1.5 }],
    ['a time after the year 9999', { limit: 1, after: [new Date(999_999_999_999_999), 'id'] }],
    ['a reserved id', { limit: 1, after: [now, '__x__'] }],
    ['no id', { limit: 1, after: [now, 'a/b'] }],
  ])('refuses a page with %s', async (_what, page) => {
    const { records } = current().store;
    await expect(records.find(listQueries.newest(), page)).rejects.toThrow();
  });

  it('lists the projects in use, one after the other', async () => {
    const { records } = current().store;
    const query = recordQueries.unfinishedByProject();
    const projects: string[] = [];
    for (let page = await records.find(query, { limit: 1 }); page[0];) {
      const { project } = readable(page[0]).value;
      projects.push(project);
      page = await records.find(query, { limit: 1, after: [project] });
    }
    expect(projects).toEqual(['p1', 'p2']);
  });

  it('continues after a document that it cannot parse', async () => {
    const { store, put } = current();
    await put('videoExports/d0-bad', { ...samples.PENDING, dueAt: at(-25), attempt: 'one' });
    const query = recordQueries.dueOperations(now);
    const [, , bad] = await store.records.find(query, { limit: 3 });
    if (!bad) {
      throw new Error('nothing found');
    }
    expect([bad.id, isReadable(bad)]).toEqual(['d0-bad', false]);
    const rest = await store.records.find(query, { limit: 9, after: cursorOf(query, bad) });
    expect(ids(rest)).toEqual(['d2', 'd3']);
  });

  it('sums what a budget covers', async () => {
    const { records } = current().store;
    const cost = (id: string, state: 'SUCCEEDED' | 'RUNNING', change: object) =>
      records.create(id, sample(state, { project: 'p9', batchId: undefined, labels: {}, ...change }));
    await cost('spent1', 'SUCCEEDED', { batchId: 'weekly@1', finishedAt: at(0), eecuSeconds: 1 });
    await cost('spent2', 'SUCCEEDED', { batchId: 'weekly@2', finishedAt: at(9), eecuSeconds: 2 });
    await cost('spent3', 'SUCCEEDED', { labels: { team: 'water' }, finishedAt: at(9), eecuSeconds: 4 });
    await cost('spent4', 'RUNNING', { batchId: 'weekly@2', eecuSeconds: 8 });
    await cost('spent5', 'RUNNING', { labels: { team: 'water' }, eecuSeconds: undefined });
    const match = { project: 'p9' };
    const weekly = { ...match, batchIdPrefix: 'weekly' };
    const water = { ...match, label: { key: 'team', value: 'water' } };
    const sum = (query: Query) => records.sum(query, 'eecuSeconds');
    expect(await sum(spendingQueries.endedIn(match, undefined))).toBe(7);
    expect(await sum(spendingQueries.endedIn(match, at(0), at(9)))).toBe(1);
    expect(await sum(spendingQueries.endedIn(weekly, at(1)))).toBe(2);
    expect(await sum(spendingQueries.endedIn(water, at(1)))).toBe(4);
    expect(await sum(spendingQueries.active(match))).toBe(8);
    expect(await sum(spendingQueries.active({ ...match, batchIdPrefix: 'weekly@2' }))).toBe(8);
    expect(await sum(spendingQueries.active({ ...match, batchIdPrefix: 'weekly@1' }))).toBe(0);
    expect(await sum(spendingQueries.active(water))).toBe(0);
    expect(ids(await records.find(spendingQueries.active(weekly), { limit: 9 }))).toEqual(['spent4']);
  });

  it('writes and deletes budgets unconditionally', async () => {
    const { store, put } = current();
    const budget = { match: {}, period: 'MONTH' as const, limitEecuHours: 1, thresholds: [] };
    await put('exportBudgets/b', { period: 'WEEK', left: 1 });
    await store.budgets.put('b', budget);
    expect(readable(await store.budgets.get('b')).value).toEqual(budget);
    expect(ids(await store.budgets.find(budgetQueries.all(), { limit: 9 }))).toEqual(['b']);
    await store.budgets.remove('b');
    await store.budgets.remove('b');
    expect(await store.budgets.get('b')).toBeUndefined();
  });

  it('sums a field over the matches', async () => {
    const { records } = current().store;
    expect(await records.sum(recordQueries.ofBatch('batch'), 'eecuSeconds')).toBe(3.5);
    expect(await records.sum(costQueries.lowerBoundsOfBatch('batch'), 'eecuSeconds')).toBe(2);
    expect(await records.sum(costQueries.inStatesOfBatch(['SUCCEEDED'], 'batch'), 'eecuSeconds')).toBe(1.5);
    expect(await records.sum(recordQueries.ofBatch('batch'), 'nothing')).toBe(0);
    expect(await records.sum(recordQueries.ofBatch('no such batch'), 'eecuSeconds')).toBe(0);
  });
}

function describeWatches(current: () => Opened): void {
  /** Starts a watch, whose reports are then awaited one by one. */
  function watch(query: Query, limit: number) {
    const reports: Found<ExportRecord>[][] = [];
    let arrived = Promise.withResolvers<void>();
    const stop = current().store.records.watch(query, limit, {
      changed: (documents) => {
        reports.push([...documents]);
        arrived.resolve();
      },
      failed: (error) => arrived.reject(error),
    });
    const next = async (): Promise<Found<ExportRecord>[]> => {
      while (reports.length === 0) {
        await arrived.promise;
        arrived = Promise.withResolvers();
      }
      return reports.shift() ?? [];
    };
    return { next, stop, pending: reports };
  }
  const newest = pageQueries.newestChanges();

  it('report what exists, and then each change', async () => {
    const { records } = current().store;
    const old = createdIn(await records.create('a', sample('PENDING', { updatedAt: at(1) })));
    createdIn(await records.create('b', sample('RUNNING', { updatedAt: at(2) })));
    const watched = watch(newest, 10);
    expect(ids(await watched.next())).toEqual(['b', 'a']);
    const changed = await records.replace(old, sample('RUNNING', { updatedAt: at(3) }));
    expect(await watched.next()).toEqual([changed]);
    const created = createdIn(await records.create('c', sample('WAITING', { updatedAt: at(4) })));
    expect(await watched.next()).toEqual([created]);
    watched.stop();
  });

  it('report that nothing exists', async () => {
    const watched = watch(newest, 10);
    expect(await watched.next()).toEqual([]);
    watched.stop();
  });

  it('report only the first documents', async () => {
    const { records } = current().store;
    await Promise.all(
      [1, 2, 3].map((ms) => records.create(`r${ms}`, sample('PENDING', { updatedAt: at(ms) }))),
    );
    const watched = watch(newest, 2);
    expect(ids(await watched.next())).toEqual(['r3', 'r2']);
    const stored = readable(await records.get('r1'));
    await records.replace(stored, sample('RUNNING', { updatedAt: at(9) }));
    expect(ids(await watched.next())).toEqual(['r1']);
    watched.stop();
  });

  it('report a document that cannot be parsed', async () => {
    const { put } = current();
    const watched = watch(newest, 2);
    await watched.next();
    await put('videoExports/bad', { ...samples.PENDING, attempt: 'one' });
    const [bad] = await watched.next();
    expect(bad && isReadable(bad)).toBe(false);
    watched.stop();
  });

  it('report nothing after they are stopped', async () => {
    const { records } = current().store;
    const stopped = watch(newest, 10);
    const watched = watch(newest, 10);
    await Promise.all([stopped.next(), watched.next()]);
    stopped.stop();
    await records.create('a', samples.PENDING);
    await watched.next();
    expect(stopped.pending).toEqual([]);
    watched.stop();
  });
}

const far = at(1_000_000);
const event = (ms: number) => ({ revision: 1, state: 'WAITING', kind: 'STATE' as const, at: at(ms) });
const parked = { dueAt: far, batchId: undefined };

/** Ids show each record's purpose: s(ubmitting), w(aiting), d(ue operation), q(ueued), e(vents), u(nanswered), b(atch). */
const queried = [
  ['s1', sample('SUBMITTING', { ...parked, project: 'p1', dueAt: at(-10) })],
  ['s2', sample('SUBMITTING', { ...parked, project: 'p1', dueAt: at(0) })],
  ['s3', sample('SUBMITTING', { ...parked, project: 'p1', dueAt: at(1) })],
  ['w1', sample('WAITING', { ...parked, project: 'p1', waitingFor: 'SERVICE', dueAt: at(-5) })],
  ['w2', sample('WAITING', { ...parked, project: 'p1', waitingFor: 'ADOPTION', dueAt: at(-9) })],
  ['w3', sample('WAITING', { ...parked, project: 'p1', waitingFor: 'PERMISSION', dueAt: at(5) })],
  [
    'd1',
    sample('PENDING', { ...parked, project: 'p1', dueAt: at(-30), operation: 'projects/p1/operations/D1' }),
  ],
  ['d2', sample('RUNNING', { ...parked, project: 'p1', dueAt: at(-20) })],
  ['d3', sample('CANCELLING', { ...parked, project: 'p2', dueAt: at(-20) })],
  [
    'q1',
    sample('WAITING', {
      ...parked,
      project: 'p1',
      waitingFor: 'QUEUE',
      priority: 5,
      createdAt: at(2),
      dueAt: now,
    }),
  ],
  [
    'q2',
    sample('WAITING', {
      ...parked,
      project: 'p1',
      waitingFor: 'RATE',
      priority: 5,
      createdAt: at(1),
      dueAt: now,
    }),
  ],
  [
    'q3',
    sample('WAITING', {
      ...parked,
      project: 'p1',
      waitingFor: 'QUEUE',
      priority: 9,
      createdAt: at(3),
      dueAt: now,
    }),
  ],
  ['q4', sample('WAITING', { ...parked, project: 'p2', waitingFor: 'QUEUE', priority: 9 })],
  ['q5', sample('WAITING', { ...parked, project: 'p1', waitingFor: 'QUEUE', priority: 5, createdAt: at(1) })],
  [
    'u1',
    sample('WAITING', {
      ...parked,
      project: 'p2',
      waitingFor: 'QUEUE',
      priority: 1,
      unanswered: 2,
      alsoBatches: ['shared'],
      retryOf: 'u0',
    }),
  ],
  ['u2', sample('SUBMITTING', { ...parked, project: 'p2', unanswered: 1 })],
  ['e1', sample('REJECTED', { project: 'p3', batchId: undefined, unpublishedEvents: [event(2)] })],
  ['e2', sample('REJECTED', { project: 'p3', batchId: undefined, unpublishedEvents: [event(1), event(3)] })],
  ['b1', sample('SUCCEEDED', { project: 'p3', batchId: 'batch', createdAt: at(3), eecuSeconds: 1.5 })],
  [
    'v1',
    sample('SUCCEEDED', {
      ...parked,
      project: 'p3',
      dueAt: at(-40),
      destination: 'gs://v/1',
      createdAt: at(1),
    }),
  ],
  [
    'v2',
    sample('SUCCEEDED', { project: 'p3', batchId: undefined, destination: 'gs://v/1', createdAt: at(2) }),
  ],
  [
    'b2',
    sample('FAILED', {
      project: 'p3',
      batchId: 'batch',
      createdAt: at(2),
      eecuSeconds: 2,
      eecuIsLowerBound: true,
    }),
  ],
  ['b3', sample('LOST', { project: 'p3', batchId: 'batch', createdAt: at(1), eecuSeconds: undefined })],
  [
    'b4',
    sample('REJECTED', { project: 'p3', batchId: 'other', alsoBatches: ['a', 'batch'], createdAt: at(1) }),
  ],
] as const;

const ended: RecordState[] = ['SUCCEEDED', 'LOST'];
const expected: [string, Query, string[]][] = [
  ['claims whose lease has expired', recordQueries.overdueSubmitting(now), ['s1', 's2']],
  ['jobs that wait for something other than the queue', recordQueries.dueWaiting(now), ['w2', 'w1']],
  [
    'operations and deliveries that are due, ties by id',
    recordQueries.dueOperations(now),
    ['v1', 'd1', 'd2', 'd3'],
  ],
  ['deliveries that are due', recordQueries.dueDeliveries(now), ['v1']],
  ['records with a destination, newest first', recordQueries.ofDestination('gs://v/1'), ['v2', 'v1']],
  ['the queue, highest priority and oldest first', recordQueries.queued('p1'), ['q3', 'q2', 'q5', 'q1']],
  ['pending events, in the order of their content', recordQueries.pendingEvents(), ['e2', 'e1']],
  [
    'unfinished records, by project',
    recordQueries.unfinishedByProject(),
    ['d1', 'd2', 'q1', 'q2', 'q3', 'q5', 's1', 's2', 's3', 'w1', 'w2', 'w3', 'd3', 'q4', 'u1', 'u2'],
  ],
  ['active operations of a project', recordQueries.active('p1'), ['d1', 'd2']],
  ['records that occupy a slot in a project', recordQueries.occupying('p1'), ['d1', 'd2', 's1', 's2', 's3']],
  ['unanswered sends', recordQueries.unanswered('p2'), ['u2', 'u1']],
  ['a record by its operation', recordQueries.byOperation('projects/p1/operations/D1'), ['d1']],
  ['nothing by an unknown operation', recordQueries.byOperation('projects/p1/operations/none'), []],
  ['a batch, oldest first', recordQueries.ofBatch('batch'), ['b3', 'b2', 'b1']],
  ['jobs of a batch whose record belongs to another batch', recordQueries.alsoOfBatch('batch'), ['b4']],
  ['no batch by a part of its id', recordQueries.alsoOfBatch('batc'), []],
  ['some states of shared jobs', recordQueries.alsoOfBatchIn('batch', ['LOST', 'REJECTED']), ['b4']],
  ['no other states of shared jobs', recordQueries.alsoOfBatchIn('batch', ended), []],
  ['unfinished shared jobs', recordQueries.alsoUnfinishedOfBatch('shared'), ['u1']],
  ['retries of shared jobs', recordQueries.alsoRetriesOfBatch('shared'), ['u1']],
  ['some states of a batch', recordQueries.ofBatchIn('batch', ended), ['b3', 'b1']],
  ['the terminal records of a batch', recordQueries.terminalOfBatch('batch'), ['b1', 'b2', 'b3']],
];

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const ids = (found: readonly { readonly id: string }[]): string[] => found.map(({ id }) => id);

function readable<T>(found: Found<T> | undefined): Stored<T> {
  if (!found) {
    throw new Error('there is no such document');
  }
  if (!isReadable(found)) {
    throw found.unreadable;
  }
  return found;
}

function createdIn<T>(outcome: Created<T>): Stored<T> {
  if (!('created' in outcome)) {
    throw new Error(`${outcome.existing.id} already exists`);
  }
  return outcome.created;
}

async function roundTrip<T>(documents: Documents<T>, value: T): Promise<void> {
  await documents.create('id', value);
  expect(readable(await documents.get('id')).value).toEqual(value);
}

function numbers(length: number): string {
  let text = '[';
  while (text.length < length) {
    text += `${Math.random() * 360 - 180},`;
  }
  return text.slice(0, length);
}

/** Valid UTF-8 that hardly compresses: any code points that a JSON string can contain unescaped. */
function randomText(length: number): Buffer {
  const text = Buffer.alloc(length, ' ');
  // The share of each UTF-8 length, chosen so that all byte values are about equally likely.
  const draws: [number, number, number][] = [
    [0.65, 0x23, 0x5b],
    [0.87, 0x80, 0x7ff],
    [0.97, 0x800, 0xd7ff],
    [1, 0x10000, 0x10ffff],
  ];
  let end = 0;
  while (end < length - 4) {
    const roll = Math.random();
    const [, low, high] = draws.find(([share]) => roll < share) ?? [0, 0x20, 0x20];
    end += text.write(String.fromCodePoint(low + Math.floor(Math.random() * (high - low + 1))), end);
  }
  return text;
}

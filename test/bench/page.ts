import { get } from 'node:http';

import type { Browser, Page } from 'playwright-core';

import { startEmulators } from '../../infra/local/emulators.ts';
import { startFunction } from '../../infra/local/function-process.ts';
import { PAGE_ROWS } from '../../page/views/exports.ts';
import { HOUR_MS, MINUTE_MS, SECOND_MS, systemClock } from '../../shared/clock.ts';
import { createFirestoreStore } from '../../shared/store/firestore.ts';
import { listQueries } from '../../shared/store/list-queries.ts';
import { isReadable, type Store } from '../../shared/store/store.ts';
import { type CountingStore, countStore } from '../counting-store.ts';
import { startBrowser, visit } from '../page/browser.ts';
import { importBundled } from '../page/bundled.ts';
import type * as rig from '../page/rig.ts';
import { fill } from './page-data.ts';
import { deployedSource, residentMb } from './processes.ts';
import { type Bench, median, type Row } from './table.ts';
import { watchCalls, type WatchedStore } from './watched-store.ts';

/**
 * What the page costs with many exports: the time until its first pages are sent by an instance that has read nothing yet, what
 * a browser gets and when it has drawn it, what Firestore bills for an open page, and the memory of an instance with many of
 * them. The database is Firestore's emulator, which is slower than Firestore; the baseline of times is the same with ten exports.
 */

const EXPORTS = 10_000;
const FEW = 10;
const RUNS = 5;
const VIEWERS = 50;
const SERVER_MS = 300;
const PAGE_KIB = 100;
const LCP_MS = 1000;
const LIVE_MS = 2000;
/** 80 % of what the function has. */
const VIEWERS_MB = 410;
const WATCHED_MS = 20 * SECOND_MS;
const CHANGES_PER_SECOND = 10;
/** The emulator sums an hour as slowly as it counts everything. */
const COMPLETE_MS = 3 * MINUTE_MS;
/** A page that is up to date asks for nothing in this time: longer than it waits to ask again. */
const QUIET_MS = 6 * SECOND_MS;

const paths = ['/', '/exports'] as const;

async function run(): Promise<Row[]> {
  // Before minutes of measuring: without the bundles, it ends at once.
  const source = deployedSource('showExports');
  await using started = new AsyncDisposableStack();
  const emulators = await startEmulators({ projectId: 'demo-page' });
  started.defer(() => emulators.stop());
  // Google's clients in this process read them.
  Object.assign(process.env, emulators.environment);
  const { servePage } = await importBundled<typeof rig>('test/page/rig.ts');
  const open = async (project: string, exports: number): Promise<Opened> => {
    const store = createFirestoreStore({
      projectId: project,
      databaseId: '(default)',
      emulatorHost: emulators.firestoreHost,
    });
    started.defer(() => store.close());
    await fill(project, emulators.firestoreHost, exports);
    const watched = watchCalls(store);
    // What a page still reads when it is closed must not slow down what is measured next.
    const measure: Opened['measure'] = async (work, seen = watched.store) => {
      const page = await servePage({ seen });
      try {
        return await work(page);
      } finally {
        await page[Symbol.asyncDispose]();
        await watched.quiet(0);
      }
    };
    return { ...watched, measure };
  };
  const many = await open('demo-page-many', EXPORTS);
  const few = await open('demo-page-few', FEW);
  const browser = await startBrowser();
  started.defer(() => browser.close());
  return [
    ...(await firstPages(many, few)),
    ...(await drawn(many, few, browser)),
    ...(await billed(many, browser)),
    ...(await viewers(many, source, { ...emulators.environment, GOOGLE_CLOUD_PROJECT: 'demo-page-many' })),
  ];
}

interface Opened extends WatchedStore {
  /** Does something with a new instance of the page. */
  readonly measure: <T>(work: (page: rig.ServedPage) => Promise<T>, seen?: Store) => Promise<T>;
}

/** Of instances that have read nothing yet. They alternate, so that other load affects both. */
async function firstPages(many: Opened, few: Opened): Promise<Row[]> {
  const rows: Row[] = [await bareQuery(many, few)];
  for (const path of paths) {
    const measured = { many: [] as First[], few: [] as First[] };
    for (let n = 0; n <= RUNS; n += 1) {
      for (const [size, opened] of [
        ['many', many],
        ['few', few],
      ] as const) {
        const first = await firstPage(opened, path);
        if (n > 0) {
          measured[size].push(first);
        }
      }
    }
    const of = (size: keyof typeof measured, part: keyof First) =>
      median(measured[size].map((each) => each[part]));
    rows.push(
      {
        what: `first ${path} of ${EXPORTS} exports: server time`,
        value: of('many', 'ms'),
        baseline: of('few', 'ms'),
        unit: 'ms',
        most: SERVER_MS,
      },
      {
        what: `first ${path} of ${EXPORTS} exports: transferred, to the files that every page has`,
        value: of('many', 'bytes') / 1024,
        baseline: of('many', 'shellBytes') / 1024,
        unit: 'KiB',
        most: PAGE_KIB,
      },
    );
  }
  return rows;
}

/** What `/exports` shows, read without the page: a page cannot be faster than its database. */
async function bareQuery(many: Opened, few: Opened): Promise<Row> {
  const times = { many: [] as number[], few: [] as number[] };
  for (let n = 0; n <= RUNS; n += 1) {
    for (const [size, { store }] of [
      ['many', many],
      ['few', few],
    ] as const) {
      const startedAt = performance.now();
      await store.records.find(listQueries.newest(), { limit: PAGE_ROWS + 1 });
      if (n > 0) {
        times[size].push(performance.now() - startedAt);
      }
    }
  }
  return {
    what: `the query alone that lists the first of ${EXPORTS} exports, in the emulator`,
    value: median(times.many),
    baseline: median(times.few),
    unit: 'ms',
  };
}

interface First {
  readonly ms: number;
  readonly bytes: number;
  readonly shellBytes: number;
}

const firstPage = ({ measure }: Opened, path: string): Promise<First> =>
  measure(async (page) => {
    const { ms, bytes, text } = await request(page.url + path);
    let shellBytes = 0;
    for (const [file] of text.matchAll(/\/assets\/[\w.-]+/g)) {
      shellBytes += (await request(page.url + file)).bytes;
    }
    return { ms, bytes, shellBytes };
  });

/** As a browser requests it: compressed. */
async function request(url: string): Promise<{ ms: number; bytes: number; text: string }> {
  const startedAt = performance.now();
  const bytes = await new Promise<number>((resolve, reject) => {
    get(url, { headers: { 'accept-encoding': 'br' } }, (response) => {
      let total = 0;
      response.on('data', (chunk: Buffer) => (total += chunk.length));
      response.on('end', () => resolve(total));
    }).on('error', reject);
  });
  const ms = performance.now() - startedAt;
  return { ms, bytes, text: await (await fetch(url)).text() };
}

/** The largest contentful paint (https://web.dev/articles/lcp) of a browser that has no file of the page yet. */
async function drawn(many: Opened, few: Opened, browser: Browser): Promise<Row[]> {
  const rows: Row[] = [];
  for (const path of paths) {
    const paint = ({ measure }: Opened): Promise<number> =>
      measure(async (page) => {
        await using visited = await visit(browser, page.url + path);
        // Awaited here: the browser page is closed afterward.
        return await visited.tab.evaluate(
          () =>
            new Promise<number>((resolve) => {
              new PerformanceObserver((list) =>
                resolve(list.getEntries().at(-1)?.startTime ?? Number.NaN),
              ).observe({
                type: 'largest-contentful-paint',
                buffered: true,
              });
            }),
        );
      });
    const paints = { many: [] as number[], few: [] as number[] };
    for (let n = 0; n <= RUNS; n += 1) {
      for (const [size, opened] of [
        ['many', many],
        ['few', few],
      ] as const) {
        const ms = await paint(opened);
        if (n > 0) {
          paints[size].push(ms);
        }
      }
    }
    rows.push({
      what: `first ${path} of ${EXPORTS} exports: largest contentful paint`,
      value: median(paints.many),
      baseline: median(paints.few),
      unit: 'ms',
      most: LCP_MS,
    });
  }
  return rows;
}

/** An open page in a browser, for some time: nothing that it does is left out. */
async function billed(many: Opened, browser: Browser): Promise<Row[]> {
  const store = countStore(many.store);
  return many.measure(async (page) => {
    await using visited = await visit(browser, page.url);
    return await watched(many, store, visited.tab);
  }, store);
}

async function watched(many: Opened, store: CountingStore, tab: Page): Promise<Row[]> {
  await tab.waitForSelector('.live-live');
  await tab.waitForSelector('.plot canvas', { timeout: COMPLETE_MS });
  const completeMs = await tab.evaluate(() => performance.now());
  await many.quiet(QUIET_MS);
  const opening = store.takeBill().reads;
  await systemClock.sleep(WATCHED_MS);
  const idle = store.takeBill().reads;
  const live = await liveMs(many.store, tab);
  // The first changes are shown at once. What lasts is measured.
  await change(many.store, WATCHED_MS / 2);
  store.takeBill();
  const changes = await change(many.store, WATCHED_MS);
  const busy = store.takeBill().reads;
  const perHour = HOUR_MS / WATCHED_MS;
  return [
    {
      what: `overview of a new instance: everything is drawn`,
      value: completeMs,
      baseline: completeMs,
      unit: 'ms',
    },
    {
      what: 'a change until an open page in a browser shows it, to how long the write takes',
      value: live.shown,
      baseline: live.written,
      unit: 'ms',
      most: LIVE_MS,
    },
    {
      what: 'reads to open the overview of a new instance',
      value: opening,
      baseline: opening,
      unit: 'reads',
    },
    {
      what: 'reads per hour of an open overview, idle',
      value: idle * perHour,
      baseline: 0,
      unit: 'reads',
      most: 0,
    },
    {
      what: `reads per hour of an open overview, ${CHANGES_PER_SECOND} changes a second, to the changes`,
      value: busy * perHour,
      baseline: changes * perHour,
      unit: 'reads',
    },
  ];
}

/** Changes of the progress of a job that the overview shows, one after the other. */
async function liveMs({ records }: Store, tab: Page): Promise<{ shown: number; written: number }> {
  const [newest] = await records.find(listQueries.newestIn(['RUNNING']), { limit: 1 });
  const shown: number[] = [];
  const written: number[] = [];
  for (let n = 0; n < RUNS; n += 1) {
    const found = newest && (await records.get(newest.id));
    if (!found || !isReadable(found) || found.value.state !== 'RUNNING') {
      throw new Error('no job runs');
    }
    const startedAt = performance.now();
    await records.replace(found, { ...found.value, progress: (11 + n) / 100, updatedAt: new Date() });
    written.push(performance.now() - startedAt);
    await tab
      .getByText(`${11 + n}%`)
      .first()
      .waitFor();
    shown.push(performance.now() - startedAt);
  }
  return { shown: median(shown), written: median(written) };
}

/** Changes records as a poll does, evenly. @returns how many */
async function change({ records }: Store, ms: number): Promise<number> {
  const until = Date.now() + ms;
  const running = await records.find({ where: [['state', '==', 'RUNNING']], orderBy: [] }, { limit: 100 });
  let changes = 0;
  for (const readable = running.filter(isReadable); Date.now() < until; changes += 1) {
    const next = systemClock.sleep(SECOND_MS / CHANGES_PER_SECOND);
    const found = readable[changes % readable.length];
    const current = found && (await records.get(found.id));
    if (current && isReadable(current) && current.value.state === 'RUNNING') {
      const progress = (changes % 100) / 100;
      await records.replace(current, { ...current.value, progress, updatedAt: new Date() });
    }
    await next;
  }
  return changes;
}

/** The deployed bundle, with as many open streams. */
async function viewers(
  many: Opened,
  source: string,
  environment: Readonly<Record<string, string>>,
): Promise<Row[]> {
  const instance = await startFunction({
    target: 'showExports',
    source,
    env: environment,
  });
  try {
    for (const path of paths) {
      await (await fetch(instance.url + path)).arrayBuffer();
    }
    const measure = async (count: number): Promise<number> => {
      const closed = new AbortController();
      const streams = Array.from({ length: count }, async () => {
        const { body } = await fetch(`${instance.url}/api/stream`, { signal: closed.signal });
        for await (const _chunk of body ?? []) {
          // As an open page does after each change, at most every few seconds.
        }
      });
      await change(many.store, WATCHED_MS / 2);
      const mb = await residentMb(instance.pid);
      closed.abort();
      await Promise.allSettled(streams);
      return mb;
    };
    const one = await measure(1);
    return [
      {
        what: `resident with ${VIEWERS} open pages, to one`,
        value: await measure(VIEWERS),
        baseline: one,
        unit: 'MB',
        most: VIEWERS_MB,
      },
    ];
  } finally {
    await instance.stop();
  }
}

export default { name: 'page', run } satisfies Bench;

import { get } from 'node:http';

import { Firestore } from '@google-cloud/firestore';
import type { Browser, Page } from 'playwright-core';

import { startEmulators } from '../../infra/local/emulators.ts';
import { startFunction } from '../../infra/local/function-process.ts';
import { DAY_MS, HOUR_MS, later, MINUTE_MS, SECOND_MS, systemClock } from '../../shared/clock.ts';
import type { ExportRecord } from '../../shared/model/record.ts';
import { createFirestoreStore } from '../../shared/store/firestore.ts';
import { listQueries } from '../../shared/store/list-queries.ts';
import { isReadable, type Store } from '../../shared/store/store.ts';
import { countStore } from '../counting-store.ts';
import { startBrowser, visit } from '../page/browser.ts';
import { importBundled } from '../page/bundled.ts';
import type * as rig from '../page/rig.ts';
import { recordFor } from '../page/seed.ts';
import { deployedSource, residentMb } from './processes.ts';
import { type Bench, median, type Row } from './table.ts';

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

const paths = ['/', '/exports'] as const;

async function run(): Promise<Row[]> {
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
    return { store, serve: (seen = store) => servePage({ seen }) };
  };
  const many = await open('demo-page-many', EXPORTS);
  const few = await open('demo-page-few', FEW);
  const browser = await startBrowser();
  started.defer(() => browser.close());
  return [
    ...(await firstPages(many, few)),
    ...(await drawn(many, few, browser)),
    ...(await billed(many, browser)),
    ...(await viewers(many, { ...emulators.environment, GOOGLE_CLOUD_PROJECT: 'demo-page-many' })),
  ];
}

interface Opened {
  readonly store: Store;
  /** A new instance of the page. */
  readonly serve: (seen?: Store) => Promise<rig.ServedPage>;
}

/** As after a busy day: a third has ended in it, a third waits, and the rest is older. */
async function fill(projectId: string, host: string, exports: number): Promise<void> {
  const database = new Firestore({ projectId, host, ssl: false, ignoreUndefinedProperties: true });
  const now = new Date();
  const writer = database.bulkWriter({ throttling: false });
  for (let n = 0; n < exports; n += 1) {
    const { id, record } = exportOf(n, exports, now);
    void writer.set(database.collection('videoExports').doc(id), { ...record });
  }
  await writer.close();
  await database.terminate();
}

function exportOf(n: number, exports: number, now: Date): { id: string; record: ExportRecord } {
  const key = `season/${Math.floor(n / 100)}/${n % 100}`;
  const createdAt = later(now, -n * 7 * SECOND_MS);
  const common = { createdAt, updatedAt: createdAt, labels: { team: n % 2 === 0 ? 'water' : 'land' } };
  const ended = (finishedAt: Date) => ({ ...common, finishedAt, updatedAt: finishedAt, eecuSeconds: 900 });
  switch (n % 30) {
    case 0:
      return recordFor('RUNNING', key, { ...common, progress: 0.5 });
    case 1:
      return recordFor('FAILED', key, ended(later(now, -((n / exports) * DAY_MS))));
    default:
      break;
  }
  switch (n % 3) {
    case 0:
      return recordFor('SUCCEEDED', key, ended(later(now, -((n / exports) * DAY_MS))));
    case 1:
      return recordFor('WAITING', key, { ...common, waitingFor: 'QUEUE', dueAt: later(now, HOUR_MS) });
    default:
      return recordFor('SUCCEEDED', key, ended(later(now, -2 * DAY_MS - n * MINUTE_MS)));
  }
}

/** Of instances that have read nothing yet. They alternate, so that other load affects both. */
async function firstPages(many: Opened, few: Opened): Promise<Row[]> {
  const rows: Row[] = [];
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

interface First {
  readonly ms: number;
  readonly bytes: number;
  readonly shellBytes: number;
}

async function firstPage({ serve }: Opened, path: string): Promise<First> {
  await using page = await serve();
  const { ms, bytes, text } = await request(page.url + path);
  let shellBytes = 0;
  for (const [file] of text.matchAll(/\/assets\/[\w.-]+/g)) {
    shellBytes += (await request(page.url + file)).bytes;
  }
  return { ms, bytes, shellBytes };
}

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
    const paint = async ({ serve }: Opened): Promise<number> => {
      await using page = await serve();
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
    };
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
  await using page = await many.serve(store);
  await using visited = await visit(browser, page.url);
  await visited.tab.waitForSelector('.live-live');
  await visited.tab.waitForSelector('.plot canvas');
  await systemClock.sleep(3 * SECOND_MS);
  const opening = store.takeBill().reads;
  await systemClock.sleep(WATCHED_MS);
  const idle = store.takeBill().reads;
  const live = await liveMs(many.store, visited.tab);
  store.takeBill();
  const changes = await change(many.store, WATCHED_MS);
  const busy = store.takeBill().reads;
  const perHour = HOUR_MS / WATCHED_MS;
  return [
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
async function viewers(many: Opened, environment: Readonly<Record<string, string>>): Promise<Row[]> {
  const instance = await startFunction({
    target: 'showExports',
    source: deployedSource('showExports'),
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

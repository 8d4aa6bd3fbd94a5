import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { type Clock, later, MINUTE_MS, systemClock } from '../../shared/clock.ts';
import type { ExportRecord } from '../../shared/model/record.ts';
import { samples } from '../record/samples.ts';
import {
  accessibilityProblems,
  appearsInTime,
  overflowOf,
  SHOWN_MS,
  startBrowser,
  visit,
} from './browser.ts';
import { changeRecord, root, servePage, type ServedPage } from './rig.ts';
import { recordFor, seedTeam } from './seed.ts';

const batchId = 'annual-timelapses@2026-11-23';

let browser: Browser;
let page: ServedPage;
beforeAll(async () => {
  [browser, page] = await Promise.all([startBrowser(), servePage()]);
  await seedTeam(page.store, new Date());
}, 60_000);
afterAll(async () => {
  await browser.close();
  await page[Symbol.asyncDispose]();
});

async function idOf(field: string, value: string): Promise<string> {
  const query = { where: [[field, '==', value] as const], orderBy: [] };
  const [found] = await page.store.records.find(query, { limit: 1 });
  return found?.id ?? '';
}

const change = (id: string, changes: Partial<ExportRecord>) => changeRecord(page.store, id, changes);

/** Waits until the browser has drawn what follows from a change of the window. */
const twoFrames = (tab: Page): Promise<void> =>
  tab.evaluate(
    () => new Promise<void>((drawn) => requestAnimationFrame(() => requestAnimationFrame(() => drawn()))),
  );

const createdNow = () => ({ createdAt: new Date(), updatedAt: new Date() });

describe('every page', () => {
  const paths = async () => [
    '/',
    '/exports',
    '/exports?state=RUNNING&text=alps',
    '/batches',
    `/batches/${encodeURIComponent(batchId)}`,
    `/exports/${await idOf('waitingFor', 'PERMISSION')}`,
    `/exports/${await idOf('state', 'RUNNING')}`,
    `/exports/${await idOf('state', 'FAILED')}?request`,
  ];

  /** A viewer can change both while the page is open. With `axe`, all rules of axe are checked too. */
  const looks = [
    { colorScheme: 'light', width: 1440, axe: true },
    { colorScheme: 'dark', width: 1440, axe: true },
    { colorScheme: 'dark', width: 3840, axe: false },
    { colorScheme: 'dark', width: 320, axe: false },
    { colorScheme: 'light', width: 320, axe: true },
  ] as const;

  it('is accessible and fits in light and dark, from 320 to 3840 pixels, without an error', async () => {
    await using opened = await visit(browser, page.url);
    const { tab, problems } = opened;
    for (const path of await paths()) {
      await tab.goto(page.url + path);
      await tab.waitForSelector('.live-live');
      if (path === '/') {
        await tab.waitForSelector('.plot canvas');
      }
      for (const { colorScheme, width, axe } of looks) {
        await tab.emulateMedia({ colorScheme });
        await tab.setViewportSize({ width, height: 900 });
        await twoFrames(tab);
        const found = axe ? await accessibilityProblems(tab) : [];
        const overflow = await overflowOf(tab);
        expect([path, colorScheme, width, found, overflow, problems]).toEqual([
          path,
          colorScheme,
          width,
          [],
          0,
          [],
        ]);
      }
    }
  }, 120_000);

  it('fits in 320 pixels if it is opened there', async () => {
    const viewport = { width: 320, height: 700 };
    await using opened = await visit(browser, page.url, { colorScheme: 'dark', viewport });
    const { tab, problems } = opened;
    await tab.waitForSelector('.plot canvas');
    const overflow = await overflowOf(tab);
    expect([overflow, problems]).toEqual([0, []]);
  });

  it('can be read without scripts', async () => {
    await using opened = await visit(browser, page.url, { javaScriptEnabled: false });
    const { tab } = opened;
    for (const path of await paths()) {
      await tab.goto(page.url + path);
      expect((await tab.locator('h1').innerText()).length).toBeGreaterThan(3);
      expect(await tab.locator('.live').count()).toBe(0);
    }
    await tab.goto(`${page.url}/exports`);
    await tab.getByLabel('Job key or record ID').fill('lagos/2022');
    await tab.getByRole('button', { name: 'Apply' }).click();
    expect(await tab.locator('[data-row]').count()).toBe(1);
  });

  it('shows times in the zone of the viewer, and the exact ones in tooltips', async () => {
    await using opened = await visit(browser, `${page.url}/exports/${await idOf('state', 'FAILED')}`);
    const { tab } = opened;
    await tab.waitForSelector('.live-live');
    const time = tab.locator('.timeline time').first();
    const iso = (await time.getAttribute('datetime')) ?? '';
    const berlin = new Date(iso).toLocaleTimeString('en-US', {
      timeZone: 'Europe/Berlin',
      hour: '2-digit',
      minute: '2-digit',
      hourCycle: 'h23',
    });
    expect(await time.innerText()).toContain(berlin);
    expect(await time.getAttribute('title')).toContain(iso);
  });
});

describe('charts', () => {
  it('are drawn in a browser whose language is not a valid tag, as with LC_ALL=POSIX', async () => {
    await using opened = await visit(browser, `${page.url}/healthz`);
    const { tab, problems } = opened;
    await tab.addInitScript(() =>
      Object.defineProperty(Navigator.prototype, 'language', { get: () => 'en-US@posix' }),
    );
    await tab.goto(page.url);
    await tab.locator('.plot canvas').nth(1).waitFor({ timeout: SHOWN_MS });
    expect(problems).toEqual([]);
  });

  it('that cannot be drawn leave no empty space: their tables open', async () => {
    await using opened = await visit(browser, `${page.url}/healthz`);
    const { tab } = opened;
    await tab.addInitScript(() => Object.assign(Intl, { NumberFormat: undefined }));
    await tab.goto(page.url);
    await tab.locator('.as-table[open]').nth(1).waitFor({ timeout: SHOWN_MS });
    expect(await tab.locator('.chart').count()).toBe(0);
  });
});

describe('changes', () => {
  it('appear on the overview by themselves, within two seconds', async () => {
    await using opened = await visit(browser, page.url);
    const { tab } = opened;
    await tab.waitForSelector('.live-live');
    const job = (n: number) => recordFor('RUNNING', `live/overview/${n}`, { ...createdNow(), progress: 0.1 });
    await appearsInTime(
      tab,
      (n) => `live/overview/${n}`,
      (n) => page.store.records.create(job(n).id, job(n).record),
    );
    await appearsInTime(
      tab,
      (n) => `${42 + n}%`,
      (n) => change(job(0).id, { progress: (42 + n) / 100 }),
    );
  });

  it('appear in the list, where new exports come first and others leave its filter', async () => {
    await using opened = await visit(browser, `${page.url}/exports?state=PENDING`);
    const { tab } = opened;
    await tab.waitForSelector('.live-live');
    const job = (n: number) =>
      recordFor('PENDING', `live/list/${n}`, {
        createdAt: later(new Date(), (n + 1) * MINUTE_MS),
        updatedAt: new Date(),
      });
    await appearsInTime(
      tab,
      (n) => `live/list/${n}`,
      (n) => page.store.records.create(job(n).id, job(n).record),
    );
    const name = await tab.locator('[data-row="0"] a', { hasText: 'live/list/' }).innerText();
    const { id, record } = recordFor('PENDING', name);
    await change(id, { ...samples.SUCCEEDED, ...record, state: 'SUCCEEDED' });
    await tab.getByText(name, { exact: true }).waitFor({ state: 'detached', timeout: SHOWN_MS });
  });

  it('appear in the grid of a batch within two seconds', async () => {
    await using opened = await visit(browser, `${page.url}/batches/${encodeURIComponent(batchId)}`);
    const { tab } = opened;
    await tab.waitForSelector('.live-live');
    const { id } = recordFor('RUNNING', 'annual-timelapses/2026-11-23/alps/2020');
    await appearsInTime(
      tab,
      (n) => `${99 - n}%`,
      (n) => change(id, { progress: (99 - n) / 100 }),
    );
    expect(await tab.locator(`a[href="/exports/${id}"]`).textContent()).toMatch(/9\d%/);
  });

  it('appear on the page of an export within two seconds', async () => {
    const { id, record } = recordFor('RUNNING', 'live/export', { ...createdNow(), progress: 0.1 });
    await page.store.records.create(id, record);
    await using opened = await visit(browser, `${page.url}/exports/${id}`);
    const { tab } = opened;
    await tab.waitForSelector('.live-live');
    await appearsInTime(
      tab,
      (n) => `${77 + n}%`,
      (n) => change(id, { progress: (77 + n) / 100 }),
    );
  });

  it('appear after the connection was interrupted', async () => {
    await using own = await servePage();
    await using opened = await visit(browser, `${own.url}/exports`);
    const { tab } = opened;
    await tab.waitForSelector('.live-live');
    own.disconnect();
    const { id, record } = recordFor('PENDING', 'live/reconnected', createdNow());
    await own.store.records.create(id, record);
    await tab.getByText('live/reconnected').waitFor({ timeout: 15_000 });
    await tab.waitForSelector('.live-live');
  });

  it('of the time appear although nothing is written: a poller that stopped writes nothing', async () => {
    let aheadMs = 0;
    const clock: Clock = { ...systemClock, now: () => later(new Date(), aheadMs) };
    await using own = await servePage({ clock });
    const { id, record } = recordFor('RUNNING', 'live/late', {
      ...createdNow(),
      dueAt: later(new Date(), MINUTE_MS),
      stalledSince: undefined,
    });
    await own.store.records.create(id, record);
    await using opened = await visit(browser, `${own.url}/healthz`);
    const { tab } = opened;
    await tab.clock.install();
    await tab.goto(own.url);
    await tab.waitForSelector('.live-live');
    expect(await tab.locator('.problem').count()).toBe(0);
    aheadMs = 17 * MINUTE_MS;
    await tab.clock.runFor(aheadMs);
    await tab.locator('.problem-error').waitFor({ timeout: SHOWN_MS });
  });

  it('appear by polling if the stream fails', async () => {
    let aheadMs = 0;
    const clock: Clock = { ...systemClock, now: () => later(new Date(), aheadMs) };
    await using own = await servePage({ clock });
    await using opened = await visit(browser, `${own.url}/healthz`);
    const { tab } = opened;
    await tab.clock.install();
    await tab.route('**/api/stream', (route) => route.fulfill({ status: 503 }));
    await tab.goto(`${own.url}/exports`);
    await tab.waitForSelector('.live-polling');
    const { id, record } = recordFor('PENDING', 'live/polled');
    await own.store.records.create(id, record);
    aheadMs = 10_000;
    await tab.clock.runFor(aheadMs);
    await tab.getByText('live/polled').waitFor({ timeout: SHOWN_MS });
  });
});

describe('a verified video', () => {
  it('plays', async () => {
    const data = await readFile(join(root, 'infra/local/storage/videos/320.mp4'));
    const name = 'plays/video.mp4';
    const { generation } = page.buckets.objects.put({
      bucket: 'demo-timelapses',
      name,
      data,
      createdMs: Date.now() - 1000,
    });
    const object = `gs://demo-timelapses/${name}`;
    const { id, record } = recordFor('SUCCEEDED', 'plays', {
      delivery: { state: 'VERIFIED', object, generation, bytes: data.length, problems: [] },
    });
    await page.store.records.create(id, record);
    await using opened = await visit(browser, `${page.url}/exports/${id}`);
    const { tab, problems } = opened;
    await tab.evaluate(() => document.querySelector('video')?.play());
    await tab.waitForFunction(() => (document.querySelector('video')?.currentTime ?? 0) > 0.3);
    expect(await tab.evaluate(() => document.querySelector('video')?.videoWidth)).toBe(320);
    expect(await accessibilityProblems(tab)).toEqual([]);
    expect(problems).toEqual([]);
  });
});

describe('hostile names', () => {
  it('are shown as text', async () => {
    const names = [
      '<img src=x onerror=alert(1)>',
      '</script><script>alert(1)</script>',
      '\u202Egpj.exe',
      'k'.repeat(10_000),
    ];
    const records = names.map((name) =>
      recordFor('FAILED', name, {
        createdAt: later(new Date(), 5 * MINUTE_MS),
        updatedAt: new Date(),
        finishedAt: new Date(),
        batchId: 'hostile',
        error: { code: 3, status: 'X', message: name, retryable: false, advice: name },
        labels: { team: name },
      }),
    );
    await Promise.all(records.map(({ id, record }) => page.store.records.create(id, record)));
    const viewport = { width: 320, height: 700 };
    await using opened = await visit(browser, page.url, { viewport });
    const { tab, problems } = opened;
    const pages: readonly (readonly [path: string, shown: readonly string[]])[] = [
      ['/', names],
      ['/exports', names],
      ['/batches/hostile', names],
      ...records.map(({ id, record }) => [`/exports/${id}`, [record.jobKey ?? '']] as const),
    ];
    for (const [path, shown] of pages) {
      await tab.goto(page.url + path);
      await tab.waitForSelector('.live-live');
      // The parts of the overview arrive one after the other.
      for (const name of shown) {
        await tab.getByText(name.slice(0, 20)).first().waitFor();
      }
      expect(await tab.locator('img').count()).toBe(0);
      const overflow = await overflowOf(tab);
      expect([path, overflow, problems]).toEqual([path, 0, []]);
    }
  }, 60_000);
});

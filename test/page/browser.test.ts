import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { type Clock, later, MINUTE_MS, systemClock } from '../../shared/clock.ts';
import type { ExportRecord } from '../../shared/model/record.ts';
import { isReadable } from '../../shared/store/store.ts';
import { samples } from '../record/samples.ts';
import { accessibilityProblems, appearsInTime, focusedRow, startBrowser, visit } from './browser.ts';
import { root, servePage, type ServedPage } from './rig.ts';
import { recordFor, seedTeam } from './seed.ts';

/** However busy the machine is, a change appears. */
const SHOWN_MS = 15_000;
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

/** Writes a record as a function would. */
async function change(id: string, changes: Partial<ExportRecord>): Promise<void> {
  const found = await page.store.records.get(id);
  if (!found || !isReadable(found)) {
    throw new Error(`no record ${id}`);
  }
  await page.store.records.replace(found, {
    ...found.value,
    ...changes,
    updatedAt: new Date(),
  } as ExportRecord);
}

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

  it.each([
    ['light', 1440],
    ['dark', 1440],
    ['light', 320],
    ['dark', 320],
    ['dark', 3840],
  ] as const)(
    'is accessible and fits in %s at %i pixels, without an error',
    async (colorScheme, width) => {
      const viewport = { width, height: 900 };
      await using opened = await visit(browser, page.url, { colorScheme, viewport });
      const { tab, problems } = opened;
      for (const path of await paths()) {
        await tab.goto(page.url + path);
        await tab.waitForSelector('.live-live');
        if (path === '/') {
          await tab.waitForSelector('.plot canvas');
        }
        if (width === 1440 || colorScheme === 'light') {
          expect([path, await accessibilityProblems(tab)]).toEqual([path, []]);
        }
        const overflow = await tab.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        expect([path, overflow]).toEqual([path, 0]);
        expect([path, problems]).toEqual([path, []]);
      }
    },
    120_000,
  );

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
    const first = tab.locator('[data-row="0"] a');
    const name = await first.innerText();
    expect(name).toContain('live/list/');
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

describe('the list of exports', () => {
  it('follows its filters without loading the page', async () => {
    await using opened = await visit(browser, `${page.url}/exports`);
    const { tab, problems } = opened;
    await tab.waitForSelector('.live-live');
    await tab.evaluate(() => Object.assign(window, { same: true }));
    await tab.getByLabel('Job key or record ID').fill('amazon');
    await tab.waitForFunction(() => document.querySelectorAll('[data-row]').length === 6);
    await tab.getByText('Failed', { exact: true }).first().click();
    await tab.waitForFunction(() => document.querySelectorAll('[data-row]').length === 1);
    expect(new URL(tab.url()).search).toBe('?text=amazon&state=FAILED');
    await tab.reload();
    expect(await tab.locator('[data-row]').count()).toBe(1);
    expect(await tab.getByLabel('Job key or record ID').inputValue()).toBe('amazon');
    await tab.getByLabel('Label').fill('team=land');
    await tab.getByText('No export matches').waitFor();
    expect(problems).toEqual([]);
  });

  it('can be used with the keyboard alone', async () => {
    await using opened = await visit(browser, `${page.url}/exports`);
    const { tab } = opened;
    await tab.waitForSelector('.live-live');
    await tab.keyboard.press('Tab');
    expect(await tab.evaluate(() => document.activeElement?.textContent)).toBe('Skip to content');
    await tab.keyboard.press('Enter');
    expect(await tab.evaluate(() => document.activeElement?.id)).toBe('main');
    await tab.keyboard.press('Tab');
    await tab.keyboard.type('las-vegas');
    await tab.waitForFunction(() => document.querySelectorAll('[data-row]').length === 6);
    for (let n = 0; n < 20 && !(await focusedRow(tab)); n++) {
      await tab.keyboard.press('Tab');
    }
    expect(await focusedRow(tab)).toBe('0');
    await tab.keyboard.press('ArrowDown');
    await tab.keyboard.press('ArrowDown');
    await tab.keyboard.press('ArrowUp');
    expect(await focusedRow(tab)).toBe('1');
    const name = await tab.evaluate(() => document.activeElement?.textContent);
    await tab.keyboard.press('Enter');
    await tab.waitForURL(/\/exports\/ve1-/);
    expect(await tab.locator('h1').innerText()).toBe(name);
  });

  it('stays smooth with ten thousand exports: only those near the screen are in the document', async () => {
    await using many = await servePage();
    const now = Date.now();
    for (let n = 0; n < 10_000; n++) {
      const times = { createdAt: new Date(now - n * 1000), updatedAt: new Date(now - n * 1000) };
      await many.store.records.create(`r${n}`, { ...samples.PENDING, jobKey: `many/${n}`, ...times });
    }
    await using opened = await visit(browser, `${many.url}/exports`);
    const { tab, problems } = opened;
    await tab.waitForSelector('.live-live');
    expect(await tab.locator('.page-head [role=status]').innerText()).toBe('100 of 10,000 exports');
    for (let loaded = 0; loaded < 3000;) {
      await tab.evaluate(() => window.scrollTo(0, document.documentElement.scrollHeight));
      await tab.waitForFunction(
        (before) =>
          Number(document.querySelector('.page-head [role=status]')?.textContent?.replace(/ .*|,/g, '')) >
          before,
        loaded || 100,
      );
      loaded = Number((await tab.locator('.page-head [role=status]').innerText()).replaceAll(/ .*|,/g, ''));
    }
    expect(await tab.locator('[data-row]').count()).toBeLessThan(150);
    await tab.evaluate(() => window.scrollTo(0, 1500 * 52));
    await tab.getByText('many/1500', { exact: true }).waitFor();
    // A change of a row that is not in the document does not move the list.
    const found = await many.store.records.get('r5');
    if (found && isReadable(found)) {
      await many.store.records.replace(found, { ...found.value, updatedAt: new Date() });
    }
    await tab.waitForTimeout(500);
    await tab.getByText('many/1500', { exact: true }).waitFor();
    expect(problems).toEqual([]);
  }, 60_000);
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
    for (const name of names) {
      const { id, record } = recordFor('FAILED', name, {
        createdAt: later(new Date(), 5 * MINUTE_MS),
        updatedAt: new Date(),
        finishedAt: new Date(),
        batchId: 'hostile',
        error: { code: 3, status: 'X', message: name, retryable: false, advice: name },
        labels: { team: name },
      });
      await page.store.records.create(id, record);
      for (const path of ['/', '/exports', '/batches/hostile', `/exports/${id}`]) {
        await using opened = await visit(browser, page.url + path, { viewport: { width: 320, height: 700 } });
        const { tab, problems } = opened;
        await tab.waitForSelector('.live-live');
        expect(await tab.getByText(name.slice(0, 20)).first().isVisible()).toBe(true);
        expect(await tab.locator('img').count()).toBe(0);
        const overflow = await tab.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        expect([path, overflow, problems]).toEqual([path, 0, []]);
      }
    }
  }, 60_000);
});

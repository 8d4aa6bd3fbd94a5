import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { samples } from '../record/samples.ts';
import { focusedRow, startBrowser, visit } from './browser.ts';
import { changeRecord, servePage, type ServedPage } from './rig.ts';
import { seedTeam } from './seed.ts';

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
    // A server that is busy shows the list before it has counted.
    expect(await tab.locator('.page-head [role=status]').innerText()).toMatch(/^100 (?:of 10,000 )?exports$/);
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
    await changeRecord(many.store, 'r5', {});
    await tab.waitForTimeout(500);
    await tab.getByText('many/1500', { exact: true }).waitFor();
    expect(problems).toEqual([]);
  }, 60_000);
});

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { DAY_MS, HOUR_MS, later } from '../../shared/clock.ts';
import { startBrowser, visit } from './browser.ts';
import { servePage, root } from './rig.ts';
import { recordFor, seedTeam } from './seed.ts';

/** The images of the page in README and the guide: small, and of a team that does not exist. */
export async function takeScreenshots(): Promise<void> {
  await using page = await servePage();
  const now = new Date();
  await seedTeam(page.store, now);
  const name = 'annual-timelapses/2026-11-23/venice/2024';
  const data = await readFile(join(root, 'infra/local/storage/videos/768.mp4'));
  const stored = { bucket: 'demo-timelapses', name: `${name}.mp4`, data, createdMs: now.getTime() - 1000 };
  const { generation } = page.buckets.objects.put(stored);
  const { id, record } = recordFor('SUCCEEDED', name, {
    batchId: 'annual-timelapses@2026-11-23',
    deliveredTo: undefined,
    eecuSeconds: 4310,
    createdAt: later(now, -9 * HOUR_MS),
    submittedAt: later(now, -9 * HOUR_MS),
    startedAt: later(now, -2 * HOUR_MS),
    finishedAt: later(now, -HOUR_MS),
    expireAt: later(now, 90 * DAY_MS),
    history: [
      { state: 'SUBMITTING', at: later(now, -9 * HOUR_MS) },
      { state: 'PENDING', at: later(now, -9 * HOUR_MS) },
      { state: 'RUNNING', at: later(now, -2 * HOUR_MS) },
      { state: 'SUCCEEDED', at: later(now, -HOUR_MS) },
    ],
    delivery: {
      state: 'VERIFIED',
      checkedAt: now,
      object: `gs://demo-timelapses/${name}.mp4`,
      generation,
      bytes: data.length,
      frames: 12,
      framesPerSecond: 10,
      width: 768,
      height: 432,
      durationSeconds: 1.2,
      codec: 'avc1.64001e',
      problems: [],
    },
  });
  await page.store.records.create(id, record);
  const browser = await startBrowser();
  try {
    for (const [file, path, colorScheme, height] of [
      ['page-overview', '/', 'light', 1120],
      ['page-batch', '/batches/annual-timelapses%402026-11-23', 'light', 800],
      ['page-export', `/exports/${id}`, 'dark', 800],
    ] as const) {
      await using opened = await visit(browser, page.url + path, {
        colorScheme,
        viewport: { width: 1280, height },
      });
      const { tab } = opened;
      await tab.waitForSelector('.live-live');
      if (path === '/') {
        await tab.waitForSelector('.plot canvas');
      } else if (path.startsWith('/exports')) {
        await tab.evaluate(() => document.querySelector('video')?.play());
        await tab.waitForFunction(() => (document.querySelector('video')?.currentTime ?? 0) > 0.2);
      }
      await tab.screenshot({
        path: join(root, 'docs/images', `${file}.jpg`),
        type: 'jpeg',
        quality: 72,
        animations: 'disabled',
      });
    }
  } finally {
    await browser.close();
  }
}

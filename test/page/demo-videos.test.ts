import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { expect, it } from 'vitest';

import { playInVirtualTime } from '../../docs/generate/capture.ts';
import { startBrowser } from './browser.ts';

it('the files that the demo leaves on the disk play in a browser, to their end', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'demo-videos-'));
  const browser = await startBrowser();
  try {
    await playInVirtualTime(folder);
    const files = await readdir(folder);
    expect(files).toHaveLength(3);
    const tab = await browser.newPage();
    for (const file of files) {
      // A browser shows a video file as a page with a player.
      await tab.goto(pathToFileURL(join(folder, file)).href);
      await tab.waitForFunction(() => (document.querySelector('video')?.readyState ?? 0) > 0);
      const { width, height, seconds } = await tab.evaluate(async () => {
        const video = document.querySelector('video') as HTMLVideoElement;
        Object.assign(video, { muted: true, playbackRate: 8, autoplay: false, loop: false });
        video.currentTime = 0;
        await video.play();
        return { width: video.videoWidth, height: video.videoHeight, seconds: video.duration };
      });
      expect([file, width >= 320, height >= 180, seconds > 0.4]).toEqual([file, true, true, true]);
      await tab.waitForFunction(() => document.querySelector('video')?.ended);
      expect(await tab.evaluate(() => document.querySelector('video')?.currentTime)).toBeCloseTo(seconds, 1);
    }
  } finally {
    await browser.close();
    await rm(folder, { recursive: true, force: true });
  }
}, 60_000);

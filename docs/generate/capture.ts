import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import {
  createEmbedded,
  embeddedDescription,
  POLL_EVERY_MS,
  type Stage,
} from '../../infra/local/demo-stage.ts';
import { notInstalled, playDemo, printEnd, printStart } from '../../infra/local/demo-play.ts';
import { createRandom } from '../../infra/local/simulator/random.ts';
import { createTerminal } from '../../cli/terminal.ts';
import { renderTerminal, type Written } from './terminal-svg.ts';

const COLUMNS = 80;

/** `npm run demo` on a terminal, as an image. */
export async function captureDemo(): Promise<string> {
  const videoFolder = await mkdtemp(join(tmpdir(), 'demo-'));
  try {
    return renderTerminal(await playInVirtualTime(videoFolder), COLUMNS);
  } finally {
    await rm(videoFolder, { recursive: true, force: true });
  }
}

/** Its clock and random numbers are simulated, so that it is always the same. */
export async function playInVirtualTime(videoFolder: string): Promise<Written[]> {
  const startMs = Date.UTC(2026, 10, 23, 12);
  let nowMs = startMs;
  const now = () => new Date(nowMs);
  const written: Written[] = [];
  const stream = {
    isTTY: true,
    columns: COLUMNS,
    rows: 24,
    write: (text: unknown) => written.push({ atMs: nowMs - startMs, text: String(text) }) > 0,
  };
  const terminal = createTerminal(stream, stream, {});

  let tokens = 0;
  const { signal } = new AbortController();
  const embedded = createEmbedded({
    clock: { now, sleep: async (ms) => void (nowMs += ms) },
    stopping: signal,
    random: createRandom(1),
    newToken: () => `token-${(tokens += 1)}`,
  });
  const published: string[] = [];
  let delivered = 0;
  const stage: Stage = {
    ...embedded,
    description: embeddedDescription(notInstalled),
    videoFolder,
    // While the demo sleeps, the service works.
    clock: {
      now,
      async sleep(ms) {
        nowMs += ms;
        for (const data of published.slice(delivered)) {
          await embedded.deliver(String((delivered += 1)), data);
        }
        if ((nowMs - startMs) % POLL_EVERY_MS === 0) {
          await embedded.poll();
        }
      },
    },
    publish: async (data) => void published.push(data),
    stop: async () => {},
  };

  terminal.out('$ npm run demo\n');
  printStart(terminal);
  await playDemo(stage, terminal, [], signal);
  printEnd(terminal, nowMs - startMs);
  return written;
}

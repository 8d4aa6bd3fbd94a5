import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';

import { afterAll, describe, expect, it } from 'vitest';

import { atRate, bytesOf } from '../../infra/local/storage/deliver.ts';
import { createVideoReader, startWorker } from '../../shared/delivery/video/reader.ts';

const reader = createVideoReader();
afterAll(() => reader.close());

/** Reads a file, and counts what was read of it. */
async function read(file: Uint8Array, from = reader) {
  const ranges: [start: number, end: number][] = [];
  const reading = await from.read(file.length, async (start, end) => {
    ranges.push([start, end]);
    return file.slice(start, end);
  });
  const bytes = ranges.reduce((sum, [start, end]) => sum + end - start, 0);
  return { reading, reads: ranges.length, bytes };
}

interface Probed {
  readonly width: number;
  readonly height: number;
  readonly avg_frame_rate: string;
  readonly nb_read_packets: string;
}

const videos = JSON.parse(
  readFileSync(new URL('../../infra/local/storage/videos/videos.json', import.meta.url), 'utf8'),
) as Record<string, Probed>;

describe('the reader of videos', () => {
  it.each(Object.entries(videos))('reads %s as ffprobe does', async (name, probed) => {
    const file = bytesOf(name);
    const { reading } = await read(file);
    const frames = Number(probed.nb_read_packets);
    const video = 'video' in reading ? reading.video : undefined;
    expect(video).toMatchObject({
      frames,
      framesPerSecond: 10,
      durationSeconds: frames / 10,
      width: probed.width,
      height: probed.height,
      codec: expect.stringMatching(/^avc1\.[0-9a-f]{6}$/),
    });
    expect(video?.endsAt).toBeLessThanOrEqual(file.length);
  });

  it.each([
    ['long', 1],
    ['long-index-last', 2],
  ])('reads %s with %i reads and less than 64 KiB', async (name, reads) => {
    const cost = await read(bytesOf(name));
    expect(cost.reads).toBe(reads);
    expect(cost.bytes).toBeLessThan(64 * 1024);
  });

  it.each([0.5, 3, 12, 29.97, 120])('reads the rate of %d frames per second', async (rate) => {
    const { reading } = await read(atRate('768', rate));
    expect('video' in reading && reading.video.framesPerSecond).toBeCloseTo(rate, 2);
  });

  it('sees that a file ends before its last frame', async () => {
    const { reading } = await read(bytesOf('truncated'));
    expect('video' in reading && reading.video.endsAt).toBeGreaterThan(bytesOf('truncated').length);
  });

  it.each([
    ['a file that ends before its index', bytesOf('truncated-index-last'), 'TRUNCATED'],
    ['the first bytes of a file', bytesOf('long').subarray(0, 500), 'TRUNCATED'],
    ['a page of HTML', bytesOf('not-a-video'), 'NOT_A_VIDEO'],
    ['one byte', Buffer.from('x'), 'NOT_A_VIDEO'],
    ['zeros', new Uint8Array(100_000), 'NOT_A_VIDEO'],
    [
      'random bytes',
      Buffer.from(Array.from({ length: 50_000 }, (_, n) => (n * n * 31 + n * 7) % 251)),
      'NOT_A_VIDEO',
    ],
  ])('finds no video in %s', async (_name, file, problem) => {
    expect((await read(file)).reading).toEqual({ problem });
  });

  /** A copy of a video, with four billion entries in one table of its index. */
  function withCount(box: string, offset: number): Uint8Array {
    const file = Buffer.from(bytesOf('320'));
    const at = file.indexOf(box) + offset;
    file.writeUInt32BE(0xff_ff_ff_f0, at);
    if (box === 'stsz') {
      // All of the same size: then no table limits their number.
      file.writeUInt32BE(10, at - 4);
    }
    return file;
  }

  it('gives up a file whose index would take all memory, and reads the next file', async () => {
    const hurried = createVideoReader({ patienceMs: 400 });
    expect((await read(withCount('stsz', 12), hurried)).reading).toEqual({ problem: 'UNREADABLE' });
    hurried.close();
    expect((await read(bytesOf('320'))).reading).toHaveProperty('video');
  });

  it('gives up a file that keeps its worker busy', async () => {
    const silent = createVideoReader({
      patienceMs: 100,
      start: () =>
        spawn(process.execPath, ['-e', 'process.on("message", () => {})'], {
          stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
          serialization: 'advanced',
        }),
    });
    expect((await read(bytesOf('320'), silent)).reading).toEqual({ problem: 'UNREADABLE' });
    silent.close();
  }, 10_000);

  it.each(['stts', 'ctts', 'stsc', 'stco'])('survives a table %s that ends too early', async (box) => {
    await read(withCount(box, 8));
    expect((await read(bytesOf('320'))).reading).toHaveProperty('video');
  });

  it('passes on the error of a read, and reads the next file', async () => {
    const failing = reader.read(100, () => Promise.reject(new Error('503')));
    await expect(failing).rejects.toThrow('503');
    expect((await read(bytesOf('320'))).reading).toHaveProperty('video');
  });

  it('gives up a file that never comes to an index', async () => {
    const box = Buffer.alloc(1024);
    box.writeUInt32BE(box.length, 0);
    box.write('free', 4);
    let reads = 0;
    const reading = await reader.read(1e12, async (start, end) => {
      reads += 1;
      if (reads === 30) {
        throw new Error('it reads on');
      }
      return Buffer.alloc(end - start, box);
    });
    expect(reading).toEqual({ problem: 'UNREADABLE' });
  });

  it('gives its worker neither settings nor credentials', () => {
    const worker = startWorker();
    const names = readFileSync(`/proc/${worker.pid}/environ`, 'utf8').match(/[^\0=]+(?==)/g) ?? [];
    worker.kill('SIGKILL');
    expect(names.filter((name) => !name.startsWith('NODE_CHANNEL_'))).toEqual([]);
  });

  describe('with a worker that dies', () => {
    /** Starts workers, and does something to each before it is used. */
    function watched(prepare: (worker: ChildProcess, n: number) => void = () => {}) {
      const started: ChildProcess[] = [];
      const watching = createVideoReader({
        start: () => {
          const worker = startWorker();
          prepare(worker, started.push(worker));
          return worker;
        },
      });
      return { reader: watching, started };
    }

    it.each(['noticed', 'unnoticed'])(
      'while it is idle (%s), reads the next file with another',
      async (how) => {
        const { reader: own, started } = watched();
        await read(bytesOf('320'), own);
        const [first] = started;
        const exited = first && once(first, 'exit');
        first?.kill('SIGKILL');
        if (how === 'noticed') {
          await exited;
        }
        const { reading, reads } = await read(bytesOf('320'), own);
        expect(reading).toHaveProperty('video.frames', 12);
        expect([started.length, reads]).toEqual([2, 1]);
        own.close();
      },
    );

    it('while it reads, reads the file again with another', async () => {
      const { reader: own, started } = watched((worker, n) => n === 1 && worker.kill('SIGKILL'));
      expect((await read(bytesOf('long-index-last'), own)).reading).toHaveProperty('video');
      expect(started).toHaveLength(2);
      own.close();
    });

    it('when others were idle too, uses a new one', async () => {
      const { reader: own, started } = watched();
      await Promise.all([read(bytesOf('320'), own), read(bytesOf('320'), own)]);
      expect(started).toHaveLength(2);
      started.forEach((worker) => worker.kill('SIGKILL'));
      expect((await read(bytesOf('320'), own)).reading).toHaveProperty('video');
      own.close();
    });

    it('each time, gives up the file: it may be the cause', async () => {
      const { reader: own, started } = watched((worker) => worker.kill('SIGKILL'));
      expect((await read(bytesOf('320'), own)).reading).toEqual({ problem: 'UNREADABLE' });
      expect(started).toHaveLength(2);
      own.close();
    });

    it.each([
      ['later', () => spawn('/nonexistent', { stdio: 'ignore' })],
      [
        'at once',
        () => {
          throw new Error('it could not start: ENOMEM');
        },
      ],
    ])(
      'because none can start, which is known %s, says nothing about the file',
      async (_when, start) => {
        const none = createVideoReader({ start });
        for (let n = 0; n < 3; n += 1) {
          await expect(read(bytesOf('320'), none)).rejects.toThrow('could not start');
        }
      },
      10_000,
    );

    it('because it could not start, is not killed: it has no process ID, and the signal could reach any process', async () => {
      const signals: unknown[] = [];
      const start = () => {
        const worker = spawn('/nonexistent', { stdio: 'ignore' });
        worker.kill = (signal) => signals.push(signal) > 0;
        return worker;
      };
      await expect(read(bytesOf('320'), createVideoReader({ start }))).rejects.toThrow('could not start');
      expect(signals).toEqual([]);
    });
  });
});

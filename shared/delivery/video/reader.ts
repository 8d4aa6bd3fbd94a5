import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';

import { SECOND_MS } from '../../clock.ts';
import type { Chunk, Reply, VideoReading } from './messages.ts';
import { workerFile } from './worker-file.ts';

/** Enough for the index of a video of 1,000 frames, if it comes first: 12 KiB. */
const FIRST_BYTES = 32 * 1024;
const MAX_CHUNK_BYTES = 512 * 1024;
/** An index has about 12 bytes for each frame, so this is enough for 300,000 frames. */
const MAX_BYTES = 4 * 1024 * 1024;
const MAX_CHUNKS = 64;

/** Parsing a chunk takes milliseconds. After this time, the file was made to keep the worker busy. */
const PATIENCE_MS = 10 * SECOND_MS;
/** Shorter than the time to the next poll, and longer than between two videos of one. */
const IDLE_MS = 5 * SECOND_MS;
/** Each can take all of its memory, and reading most videos takes a worker only a millisecond. */
const MAX_WORKERS = 2;
/** In MiB. The longest index that is read takes less. */
const WORKER_HEAP = 128;

/** The index could not be read: it is too large, or the file was made to prevent that. */
export interface Unreadable {
  readonly problem: 'UNREADABLE';
}

export interface VideoReader {
  /** @param read reads a range of the file; its errors are passed on */
  read(
    bytes: number,
    read: (start: number, end: number) => Promise<Uint8Array>,
  ): Promise<VideoReading | Unreadable>;
  close(): void;
}

/**
 * Reads videos, any number at once. A worker is started when one is needed, which takes 50 ms, used again, and
 * stopped soon after the last video.
 */
export function createVideoReader({
  patienceMs = PATIENCE_MS,
  start = startWorker,
}: { readonly patienceMs?: number; readonly start?: () => ChildProcess } = {}): VideoReader {
  const workers = createWorkers(start);
  return {
    async read(bytes, read) {
      // Before a worker is taken: most of the time passes here.
      const first = await chunkAt(0, FIRST_BYTES, bytes, read);
      const rest = (start: number, size: number) => chunkAt(Math.min(start, bytes), size, bytes, read);
      return (
        (await readWith(workers, first, rest, patienceMs)) ??
        // Its worker has ended, perhaps while it was idle, or because the machine had no memory: that may have nothing to do with
        // the file. If a new one ends too, it has.
        (await readWith(workers, first, rest, patienceMs, true)) ?? { problem: 'UNREADABLE' }
      );
    },
    close: () => workers.close(),
  };
}

/** @returns undefined if the worker ended */
async function readWith(
  workers: Workers,
  first: Chunk,
  rest: (start: number, size: number) => Promise<Chunk>,
  patienceMs: number,
  isNew = false,
): Promise<VideoReading | Unreadable | undefined> {
  const worker = await workers.take(isNew);
  let isUsable = true;
  try {
    let chunk = first;
    let total = chunk.data.length;
    for (let chunks = 1; chunks <= MAX_CHUNKS && total <= MAX_BYTES; chunks += 1) {
      isUsable = false;
      const reply = await ask(worker, chunk, patienceMs);
      isUsable = reply !== 'ENDED' && reply !== 'LATE';
      if (reply === 'ENDED') {
        return undefined;
      }
      if (reply === 'LATE') {
        return { problem: 'UNREADABLE' };
      }
      if (!('next' in reply)) {
        return reply;
      }
      const size = Math.min(MAX_CHUNK_BYTES, FIRST_BYTES * 2 ** (chunks - 1));
      chunk = await rest(reply.next, size);
      total += chunk.data.length;
    }
    return { problem: 'UNREADABLE' };
  } finally {
    workers.giveBack(worker, isUsable);
  }
}

interface Workers {
  /** @param isNew not one that was idle. @throws if none can start */
  take(isNew: boolean): Promise<ChildProcess>;
  giveBack(worker: ChildProcess, isUsable: boolean): void;
  close(): void;
}

function createWorkers(start: () => ChildProcess): Workers {
  const idle: ChildProcess[] = [];
  const waiting: (() => void)[] = [];
  let taken = 0;
  let stopping: NodeJS.Timeout | undefined;
  const close = (): void => idle.splice(0).forEach(stop);
  const release = (): void => {
    const next = waiting.shift();
    if (next) {
      next();
    } else {
      taken -= 1;
    }
  };
  const started = (): ChildProcess => {
    const worker = start();
    // `ask` notices that it has ended. Without a listener, an error of the channel would end this process.
    worker.on('error', () => {});
    return worker;
  };
  return {
    async take(isNew) {
      if (taken < MAX_WORKERS) {
        taken += 1;
      } else {
        // The next one that is given back.
        await new Promise<void>((resolve) => waiting.push(resolve));
      }
      clearTimeout(stopping);
      try {
        if (isNew) {
          close();
        }
        const worker = idle.pop() ?? started();
        worker.ref();
        worker.channel?.ref();
        return worker;
      } catch (error) {
        release();
        throw error;
      }
    },
    giveBack(worker, isUsable) {
      release();
      if (!isUsable) {
        stop(worker);
        return;
      }
      // A process must be able to end while its workers are idle.
      worker.unref();
      worker.channel?.unref();
      idle.push(worker);
      clearTimeout(stopping);
      stopping = setTimeout(close, IDLE_MS).unref();
    },
    close,
  };
}

async function chunkAt(
  start: number,
  size: number,
  bytes: number,
  read: (start: number, end: number) => Promise<Uint8Array>,
): Promise<Chunk> {
  const end = Math.min(bytes, start + size);
  const data = start < end ? await read(start, end) : new Uint8Array();
  return { start, data, isLast: end >= bytes };
}

export function startWorker(): ChildProcess {
  return fork(workerFile, {
    execArgv: [`--max-old-space-size=${WORKER_HEAP}`],
    // It needs no setting and no credentials, and what mp4box prints about a file must not appear among the log lines.
    env: {},
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    serialization: 'advanced',
  });
}

/** @throws if the worker could not start */
async function ask(
  worker: ChildProcess,
  chunk: Chunk,
  patienceMs: number,
): Promise<Reply | 'ENDED' | 'LATE'> {
  const done = new AbortController();
  const { signal } = done;
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    done.abort();
  }, patienceMs);
  try {
    worker.send(chunk);
    return await Promise.race([
      once(worker, 'message', { signal }).then(([reply]) => reply as Reply),
      once(worker, 'exit', { signal }).then(() => 'ENDED' as const),
    ]);
  } catch (error) {
    if (worker.pid === undefined) {
      throw new Error('The process that reads videos could not start', { cause: error });
    }
    // An error of the channel: it has ended.
    return isLate ? 'LATE' : 'ENDED';
  } finally {
    clearTimeout(timer);
    done.abort();
  }
}

function stop(worker: ChildProcess): void {
  // If it could not start, Node sends the signal to a random process ID until the error is reported: with 0, to this process too.
  if (worker.pid !== undefined) {
    worker.kill('SIGKILL');
  }
}

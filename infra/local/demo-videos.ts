import { createWriteStream } from 'node:fs';
import { mkdir, open, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';

import { table, wrap } from '../../cli/screen.ts';
import { nameOf } from '../../cli/text.ts';
import { createVideoReader } from '../../shared/delivery/video/reader.ts';
import type { VideoReading } from '../../shared/delivery/video/messages.ts';
import type { Delivery } from '../../shared/model/delivery.ts';
import type { ExportRecord } from '../../shared/model/record.ts';
import { type CloudStorage, parseUri } from '../../shared/storage/api.ts';
import type { Stored } from '../../shared/store/store.ts';
import { LocalError } from './local-error.ts';

/** The end of the demo: the videos, from the buckets to files that play. */

export const videoFolder = resolve(import.meta.dirname, '..', '..', 'build', 'demo');

interface SavedVideo {
  readonly job: string;
  readonly delivery: Delivery;
}

/**
 * Downloads every verified video, and reads each file again.
 *
 * @throws LocalError if a video is not verified, or if its file is not what the record says
 */
export async function saveVideos(
  storage: CloudStorage,
  records: readonly Stored<ExportRecord>[],
  folder: string,
): Promise<SavedVideo[]> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const reader = createVideoReader();
  try {
    const saved: SavedVideo[] = [];
    for (const { id, value } of records) {
      const job = nameOf(id, value);
      const delivery = value.state === 'SUCCEEDED' ? value.delivery : undefined;
      const source = parseUri(delivery?.object ?? '');
      if (delivery?.state !== 'VERIFIED' || source === undefined || delivery.generation === undefined) {
        throw new LocalError('DEMO_FAILED', `The video of ${job} is ${delivery?.state ?? 'not verified'}`);
      }
      const file = join(folder, `${job.replaceAll(/[^A-Za-z0-9._-]+/g, '-')}.mp4`);
      await pipeline(storage.stream({ ...source, generation: delivery.generation }), createWriteStream(file));
      const reading = await readFrom(file, reader);
      if (!('video' in reading) || reading.video.frames !== delivery.frames) {
        throw new LocalError('DEMO_FAILED', `${file} does not have the ${delivery.frames} frames of ${job}`);
      }
      saved.push({ job, delivery });
    }
    return saved;
  } finally {
    reader.close();
  }
}

async function readFrom(
  file: string,
  reader: ReturnType<typeof createVideoReader>,
): Promise<VideoReading | { readonly problem: string }> {
  const handle = await open(file);
  try {
    const { size } = await handle.stat();
    return await reader.read(size, async (start, end) => {
      const { buffer } = await handle.read(Buffer.alloc(end - start), 0, end - start, start);
      return buffer;
    });
  } finally {
    await handle.close();
  }
}

export function videoLines(saved: readonly SavedVideo[]): string[] {
  const rows = saved.map(({ job, delivery }) => [
    job,
    delivery.state,
    String(delivery.frames),
    `${delivery.framesPerSecond}/s`,
    `${delivery.width}×${delivery.height}`,
    delivery.codec ?? '',
  ]);
  return [
    ...table([['JOB', 'DELIVERY', 'FRAMES', 'RATE', 'SIZE', 'CODEC'], ...rows]),
    ...wrap(
      `The simulated Earth Engine wrote these videos to simulated buckets, and they play: see build/demo.`,
      '  ',
    ),
  ];
}

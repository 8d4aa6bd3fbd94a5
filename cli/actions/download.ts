import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

import pMap from 'p-map';

import { SECOND_MS } from '../../shared/clock.ts';
import type { ExportRecord } from '../../shared/model/record.ts';
import { type CloudStorage, type ObjectVersion, parseUri, StorageError } from '../../shared/storage/api.ts';
import type { Stored } from '../../shared/store/store.ts';
import { CliError, wrongInput } from '../cli-error.ts';
import type { Cli } from '../cli.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { note, writeJson } from '../output.ts';
import { deliveryStateOf, readRecords } from '../records.ts';
import { bar, fit } from '../screen.ts';
import { recordOf, requireTarget } from '../targets.ts';
import { nameOf } from '../text.ts';
import { createFrame } from '../watch/frame.ts';

export interface DownloadOptions {
  readonly batch?: string;
  readonly to: string;
}

const AT_ONCE = 4;
const TRIES = 5;
const DRAW_EVERY_MS = 200;

interface Video {
  readonly id: string;
  readonly name: string;
  readonly object: ObjectVersion;
  readonly bytes: number;
  readonly crc32c: string | undefined;
  readonly file: string;
}

interface Downloaded {
  readonly id: string;
  readonly file: string;
  readonly bytes: number;
  /** The part that an earlier call had downloaded. */
  readonly resumedAt: number;
}

/** Downloads the videos of jobs, resumes what an earlier call began, and compares each file with its checksum. */
export async function download(
  cli: Cli,
  ids: readonly string[],
  { batch, to }: DownloadOptions,
): Promise<ExitCode> {
  const { videos, skipped } = await videosOf(cli, ids, batch, to);
  await mkdir(to, { recursive: true });
  const storage = await cli.storage();
  const progress = createProgress(cli, videos);
  const files = await pMap(
    videos,
    async (video) => downloadOne(cli, storage, video, (bytes) => progress.add(video, bytes)),
    { concurrency: AT_ONCE, signal: cli.interrupted },
  ).finally(progress.end);
  if (cli.json) {
    writeJson(cli, { files, skipped });
  } else {
    for (const { file, bytes, resumedAt } of files) {
      cli.terminal.out(`${file}  ${bytes} bytes${resumedAt > 0 ? `, resumed at ${resumedAt}` : ''}`);
    }
    for (const { name, reason } of skipped) {
      note(cli, `${name} has no video to download: ${reason}`);
    }
  }
  if (files.length === 0) {
    throw new CliError('NOT_FOUND', 'There is no video to download. To see why, run show with the id.');
  }
  return exitCodes.DONE;
}

async function videosOf(cli: Cli, ids: readonly string[], batch: string | undefined, to: string) {
  if (ids.length > 0 === (batch !== undefined)) {
    throw wrongInput('ARGUMENTS_WRONG', 'Give record ids or job keys, or --batch.');
  }
  const records: Stored<ExportRecord>[] = [];
  const batches = batch === undefined ? [] : [batch];
  for (const id of ids) {
    const target = await requireTarget(cli, id);
    const record = recordOf(target);
    if (record) {
      records.push(record);
    } else {
      batches.push(target.id);
    }
  }
  for (const batchId of batches) {
    for await (const { stored } of readRecords(cli, { batch: batchId })) {
      if (stored) {
        records.push(stored);
      }
    }
  }
  const videos: Video[] = [];
  const skipped: { id: string; name: string; reason: string }[] = [];
  const names = new Set<string>();
  for (const { id, value } of records) {
    const name = nameOf(id, value);
    const delivery = value.state === 'SUCCEEDED' ? value.delivery : undefined;
    const object = parseUri(delivery?.object ?? '');
    if (!delivery?.generation || !object || delivery.bytes === undefined) {
      skipped.push({ id, name, reason: deliveryStateOf(value) ?? value.state });
      continue;
    }
    const { generation, bytes, crc32c } = delivery;
    const file = join(to, fileNameOf(value, object.name, id, names));
    videos.push({ id, name, object: { ...object, generation }, bytes, crc32c, file });
  }
  return { videos, skipped };
}

/** Of a file name; most file systems allow 255, and the part of a download has a longer name. */
const MAX_NAME_BYTES = 180;

/**
 * The job key, which tells the videos of a batch apart, or else the last part of the object's name. Without anything that a file
 * system or a shell takes for something else.
 */
function fileNameOf(
  { jobKey, attempt }: ExportRecord,
  objectName: string,
  id: string,
  names: Set<string>,
): string {
  const last = objectName.split('/').at(-1) ?? '';
  const extension = extname(last) || '.mp4';
  const own = jobKey === undefined ? last : `${jobKey}${attempt > 1 ? `-${attempt}` : ''}${extension}`;
  const printed = own.replaceAll(/[^\p{L}\p{N}._-]+/gu, '-').replace(/^[.-]+/, '_');
  const safe =
    printed === '' || Buffer.byteLength(printed) > MAX_NAME_BYTES
      ? `${id}${extension.replaceAll(/[^\p{L}\p{N}.]+/gu, '').slice(0, 10)}`
      : printed;
  const name = names.has(safe) ? `${id}-${safe}` : safe;
  names.add(name);
  return name;
}

async function downloadOne(
  cli: Cli,
  storage: CloudStorage,
  video: Video,
  onBytes: (bytes: number) => void,
): Promise<Downloaded> {
  const { id, object, bytes, crc32c, file } = video;
  // The part of another version is never continued.
  const part = `${file}.${object.generation}.part`;
  let resumedAt: number | undefined;
  let found = '';
  for (let tries = 1; ; tries += 1) {
    try {
      const result = await continuePart(cli, storage, video, part, onBytes);
      resumedAt ??= result.resumedAt;
      found = result.checksum;
      break;
    } catch (error) {
      if (!(error instanceof StorageError) || error.kind !== 'UNAVAILABLE' || tries === TRIES) {
        throw error;
      }
      await cli.clock.sleep(tries * SECOND_MS, cli.interrupted);
    }
  }
  if (crc32c !== undefined && found !== crc32c) {
    await rm(part, { force: true });
    throw new CliError(
      'CHECKSUM_WRONG',
      `The content of ${file} does not match the checksum of gs://${object.bucket}/${object.name}. Download it again; if that does not help, the object is damaged.`,
    );
  }
  await rename(part, file);
  return { id, file, bytes, resumedAt };
}

/** What is on the disk counts, not what was received: a lost connection can leave the last bytes unwritten. */
async function continuePart(
  cli: Cli,
  storage: CloudStorage,
  { object, bytes }: Video,
  part: string,
  onBytes: (bytes: number) => void,
): Promise<{ resumedAt: number; checksum: string }> {
  const checksum = storage.checksum();
  const size = await sizeOf(part);
  let resumedAt = 0;
  if (size !== undefined && size <= bytes) {
    for await (const chunk of createReadStream(part) as AsyncIterable<Buffer>) {
      checksum.update(chunk);
      resumedAt += chunk.length;
    }
  } else {
    await rm(part, { force: true });
  }
  const counted = async function* (chunks: AsyncIterable<Uint8Array>) {
    for await (const chunk of chunks) {
      checksum.update(chunk);
      onBytes(chunk.length);
      yield chunk;
    }
  };
  const file = createWriteStream(part, { flags: 'a' });
  const rest = resumedAt < bytes ? storage.stream(object, resumedAt) : Readable.from([]);
  await pipeline(rest, counted, file, { signal: cli.interrupted });
  return { resumedAt, checksum: checksum.toString() };
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch {
    return undefined;
  }
}

/** On a terminal, a bar for all of them together. */
function createProgress({ terminal, clock, json }: Cli, videos: readonly Video[]) {
  const total = videos.reduce((sum, { bytes }) => sum + bytes, 0);
  const frame = terminal.isInteractive && !json ? createFrame(terminal) : undefined;
  let done = 0;
  let drawnAtMs = 0;
  const draw = (text: string): void =>
    frame?.draw([fit(`${bar(total === 0 ? 1 : done / total, 20)} ${done} of ${total} bytes  ${text}`)]);
  return {
    add({ name }: Video, bytes: number): void {
      done += bytes;
      const nowMs = clock.now().getTime();
      if (nowMs - drawnAtMs >= DRAW_EVERY_MS) {
        drawnAtMs = nowMs;
        draw(name);
      }
    },
    end: (): void => draw(''),
  };
}

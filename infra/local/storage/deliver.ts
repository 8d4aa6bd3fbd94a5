import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { createFile, MP4BoxBuffer } from 'mp4box';

import type { TrueOperation } from '../simulator/index.ts';
import type { SimulatedStorage } from './storage.ts';

/**
 * What the simulated Earth Engine writes to a bucket when an operation succeeds: a playable video of the requested rate, at
 * least as large as requested. Rules make it deliver something else, or late, or nothing.
 */

/** The files of videos/, and one without a byte. */
export type DeliveredFile =
  | 'complete'
  | 'index-last'
  | 'long'
  | 'long-index-last'
  | 'fragmented'
  | 'one-frame'
  | 'truncated'
  | 'truncated-index-last'
  | 'not-a-video'
  | 'empty';

/** How some operations' videos are delivered. */
export interface DeliveryRule {
  /** A regular expression on `{description} {destination}`. */
  readonly pattern: string;
  readonly file?: DeliveredFile;
  /** `{prefix}.mp4`, or `{prefix}ee-export-video{digits}.mp4` (the default). Both are known from the field. */
  readonly name?: 'plain' | 'numbered';
  /**
   * In milliseconds after the operation's end; never; or only a file of an earlier run exists, which was written before the
   * operation started.
   */
  readonly when?: number | 'never' | 'earlier-run';
  /** How many files it writes under the prefix, by default 1: the second one has the other form of name. */
  readonly files?: 1 | 2;
  readonly framesPerSecond?: number;
  /** The longer side, in pixels. */
  readonly longerSide?: number;
  readonly wrongChecksum?: boolean;
}

/** Writes the video of an operation that succeeded. The first rule that matches it counts. */
export function deliver(
  storage: SimulatedStorage,
  operation: TrueOperation,
  rules: readonly DeliveryRule[] = [],
): void {
  const { state, destination, description, endTime, startTime } = operation;
  const [, bucket, prefix] = /^gs:\/\/([^/]+)\/(.*)$/s.exec(destination) ?? [];
  if (state !== 'SUCCEEDED' || bucket === undefined || prefix === undefined || endTime === undefined) {
    return;
  }
  const text = `${description} ${destination}`;
  const rule = rules.find(({ pattern }) => new RegExp(pattern).test(text)) ?? { pattern: '' };
  const { when = 0, name = 'numbered', files = 1 } = rule;
  if (when === 'never' || storage.settings.missing.includes(bucket)) {
    return;
  }
  const createdMs =
    when === 'earlier-run' ? Date.parse(startTime ?? endTime) - 3_600_000 : Date.parse(endTime) + when;
  const data = videoOf(operation, rule);
  const names = name === 'plain' ? (['plain', 'numbered'] as const) : (['numbered', 'plain'] as const);
  for (const form of names.slice(0, files)) {
    storage.objects.put({
      bucket,
      name: form === 'plain' ? `${prefix}.mp4` : `${prefix}ee-export-video${digitsOf(operation)}.mp4`,
      data,
      createdMs,
      ...(rule.wrongChecksum ? { crc32c: 'AAAAAA==' } : {}),
    });
  }
}

/** A 64-bit number, as Earth Engine's names have, but always the same for an operation. */
const digitsOf = ({ name }: TrueOperation): string =>
  String(createHash('sha256').update(name).digest().readBigUInt64BE());

function videoOf({ video }: TrueOperation, rule: DeliveryRule): Uint8Array {
  const { file = 'complete' } = rule;
  const framesPerSecond = rule.framesPerSecond ?? video.framesPerSecond ?? 5;
  switch (file) {
    case 'empty':
      return new Uint8Array();
    case 'truncated':
      return atRate('768', framesPerSecond).subarray(0, bytesOf('truncated').length);
    case 'not-a-video':
    case 'truncated-index-last':
      return bytesOf(file);
    case 'complete':
      return atRate(sizeFor(rule.longerSide ?? video.longerSide), framesPerSecond);
    case 'index-last':
    case 'long':
    case 'long-index-last':
    case 'fragmented':
    case 'one-frame':
      return atRate(file, framesPerSecond);
  }
}

const sizes = [320, 768, 1280, 1920];

/** The smallest video that is at least as large as requested. */
const sizeFor = (longerSide = 320): string =>
  String(sizes.find((size) => size >= longerSide) ?? sizes.at(-1));

const files = new Map<string, Buffer>();

export function bytesOf(name: string): Buffer {
  const bytes = files.get(name) ?? readFileSync(join(import.meta.dirname, 'videos', `${name}.mp4`));
  files.set(name, bytes);
  return bytes;
}

/** In the units of the videos: each frame takes 1280 of 12,800 per second. */
const FRAME_UNITS = 1280;

/** The video with another number of time units per second, in its movie header and in those of its tracks. */
export function atRate(name: string, framesPerSecond: number): Uint8Array {
  const bytes = Buffer.from(bytesOf(name));
  const file = createFile();
  file.appendBuffer(MP4BoxBuffer.fromArrayBuffer(new Uint8Array(bytes).buffer, 0), true);
  const { moov } = file;
  for (const header of [moov.mvhd, ...moov.traks.map(({ mdia }) => mdia.mdhd)]) {
    // Both are full boxes of version 0: size, type, version and flags, two times, and the units per second.
    bytes.writeUInt32BE(Math.round(framesPerSecond * FRAME_UNITS), (header.start ?? 0) + 20);
  }
  return bytes;
}

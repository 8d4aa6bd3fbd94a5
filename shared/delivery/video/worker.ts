import { createFile, type ISOFile, MP4BoxBuffer } from 'mp4box';

import type { Chunk, Reply, VideoReading } from './messages.ts';

/*
 * Reads MP4 files, one after the other, in a process of its own: a file can be made so that reading its index takes all
 * memory or never ends, and then only this process is lost. (A thread with a memory limit takes its process with it.)
 * mp4box asks for the parts that it needs, so frames are skipped.
 */

let file: Reading | undefined;

interface Reading {
  readonly iso: ISOFile;
  hasIndex: boolean;
  failed: boolean;
}

function open(): Reading {
  const reading: Reading = { iso: createFile(), hasIndex: false, failed: false };
  reading.iso.onError = () => {
    reading.failed = true;
  };
  reading.iso.onReady = ({ isFragmented }) => {
    // The index of a fragmented file is spread over all of it.
    reading.hasIndex = !isFragmented;
  };
  return reading;
}

function read({ start, data, isLast }: Chunk): Reply {
  file = start === 0 ? open() : (file ?? open());
  const { iso } = file;
  const next = iso.appendBuffer(MP4BoxBuffer.fromArrayBuffer(new Uint8Array(data).buffer, start), isLast);
  if (file.failed || file.hasIndex || isLast) {
    return result(file);
  }
  return { next: Math.max(next, start + data.length) };
}

function result({ iso, failed }: Reading): VideoReading {
  iso.flush();
  if (failed || iso.moov === undefined) {
    const beginsLikeMp4 = iso.boxes.some(({ type }) => type === 'ftyp' || type === 'mdat');
    return { problem: beginsLikeMp4 ? 'TRUNCATED' : 'NOT_A_VIDEO' };
  }
  const [track] = iso.getInfo().videoTracks;
  if (track === undefined) {
    return { problem: 'NOT_A_VIDEO' };
  }
  const samples = iso.getTrackSamplesInfo(track.id);
  const units = samples.reduce((sum, { duration }) => sum + duration, 0);
  const durationSeconds = track.timescale > 0 ? units / track.timescale : 0;
  return {
    video: {
      frames: samples.length,
      framesPerSecond: durationSeconds > 0 ? rounded(samples.length / durationSeconds) : undefined,
      durationSeconds: rounded(durationSeconds),
      width: track.video?.width ?? 0,
      height: track.video?.height ?? 0,
      codec: track.codec,
      endsAt: samples.reduce((end, { offset, size }) => Math.max(end, offset + size), 0),
    },
  };
}

const rounded = (number: number): number => Math.round(number * 1000) / 1000;

process.on('message', (chunk: Chunk) => process.send?.(read(chunk)));
// Its parent has ended, however that happened.
process.on('disconnect', () => process.exit());

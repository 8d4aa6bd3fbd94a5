import type { Delivery, DeliveryProblem, RequestedVideo } from '../model/delivery.ts';
import { type StoredObject, uriOf } from '../storage/api.ts';
import type { VideoReading } from './video/messages.ts';

/** Whether what was found is what was requested. */

/** 29.97 passes for 30, and 24 does not pass for 25. */
const RATE_TOLERANCE = 0.02;
/** Encoders round to even numbers, and a scaled region can lose a pixel at its edge. */
const SIZE_TOLERANCE = 0.02;

export function judge(
  object: StoredObject,
  reading: VideoReading | { readonly problem: 'UNREADABLE' } | undefined,
  requested: RequestedVideo = {},
  isIntact = true,
): Delivery {
  const found = {
    object: uriOf(object),
    generation: object.generation,
    bytes: object.bytes,
    ...(object.crc32c === undefined ? {} : { crc32c: object.crc32c }),
  };
  const suspect = (problems: DeliveryProblem[]): Delivery => ({ state: 'SUSPECT', ...found, problems });
  if (reading === undefined) {
    return suspect([{ code: 'EMPTY', message: 'The file has no bytes.' }]);
  }
  if ('problem' in reading) {
    return suspect([{ code: reading.problem, message: messages[reading.problem] }]);
  }
  const { endsAt: _end, framesPerSecond, ...video } = reading.video;
  const problems = problemsOf(object, reading.video, requested, isIntact);
  return {
    state: problems.length === 0 ? 'VERIFIED' : 'SUSPECT',
    ...found,
    ...video,
    ...(framesPerSecond === undefined ? {} : { framesPerSecond }),
    problems,
  };
}

const messages = {
  NOT_A_VIDEO: 'The file is not an MP4 file with a video.',
  TRUNCATED: 'The file ends too early: its index is missing or damaged.',
  UNREADABLE: 'The index of the file is too large to be read, or damaged.',
} as const;

type Video = Extract<VideoReading, { video: unknown }>['video'];

function problemsOf(
  object: StoredObject,
  { frames, framesPerSecond, width, height, endsAt }: Video,
  requested: RequestedVideo,
  isIntact: boolean,
): DeliveryProblem[] {
  const problems: DeliveryProblem[] = [];
  if (!isIntact) {
    problems.push({ code: 'WRONG_CHECKSUM', message: 'The content does not match its CRC32C checksum.' });
  }
  if (endsAt > object.bytes) {
    problems.push({
      code: 'TRUNCATED',
      message: `The file has ${object.bytes} bytes, and its last frame ends at byte ${endsAt}.`,
    });
  }
  if (frames === 0) {
    return [...problems, { code: 'EMPTY', message: 'The video has no frames.' }];
  }
  if (frames === 1) {
    problems.push({
      code: 'ONE_FRAME',
      message: 'The video has one frame. Does the collection have several images?',
    });
  }
  const rate = requested.framesPerSecond;
  if (rate !== undefined && framesPerSecond !== undefined && differs(framesPerSecond, rate)) {
    problems.push({
      code: 'WRONG_RATE',
      message: `The video has ${framesPerSecond} frames per second, and ${rate} were requested.`,
    });
  }
  const longerSide = Math.max(width, height);
  if (requested.longerSide !== undefined && longerSide < requested.longerSide * (1 - SIZE_TOLERANCE)) {
    problems.push({
      code: 'TOO_SMALL',
      message: `The video is ${width}×${height}, and its longer side was requested to have ${requested.longerSide} pixels.`,
    });
  }
  return problems;
}

const differs = (found: number, requested: number): boolean =>
  Math.abs(found - requested) > requested * RATE_TOLERANCE;

import { describe, expect, it } from 'vitest';

import { judge } from '../../shared/delivery/judge.ts';
import type { VideoFacts } from '../../shared/delivery/video/messages.ts';
import type { RequestedVideo } from '../../shared/model/delivery.ts';

const object = {
  bucket: 'b',
  name: 'a.mp4',
  generation: '1',
  bytes: 1000,
  crc32c: 'AAAAAA==',
  createdAt: new Date(0),
};
const facts: VideoFacts = {
  frames: 12,
  framesPerSecond: 30,
  durationSeconds: 0.4,
  width: 768,
  height: 432,
  codec: 'avc1.640015',
  endsAt: 1000,
};

const codes = (change: Partial<VideoFacts>, requested: RequestedVideo = {}, isIntact = true): string[] => {
  const { state, problems } = judge(object, { video: { ...facts, ...change } }, requested, isIntact);
  expect(state).toBe(problems.length === 0 ? 'VERIFIED' : 'SUSPECT');
  return problems.map(({ code }) => code);
};

describe('a video is compared with the request', () => {
  it.each([
    ['all of it', {}, {}, []],
    ['the rate, with the rounding of 29.97', { framesPerSecond: 29.97 }, { framesPerSecond: 30 }, []],
    ['another rate', { framesPerSecond: 24 }, { framesPerSecond: 25 }, ['WRONG_RATE']],
    ['the longer side', {}, { longerSide: 768 }, []],
    ['the longer side of a tall video', { width: 432, height: 768 }, { longerSide: 768 }, []],
    ['a side that was rounded', { width: 1079 }, { longerSide: 1080 }, []],
    ['a smaller video', {}, { longerSide: 1080 }, ['TOO_SMALL']],
    ['a larger video', {}, { longerSide: 100 }, []],
    ['one frame', { frames: 1 }, {}, ['ONE_FRAME']],
    ['no frame', { frames: 0 }, { framesPerSecond: 1, longerSide: 5000 }, ['EMPTY']],
    ['a last frame beyond the end', { endsAt: 1001 }, {}, ['TRUNCATED']],
    ['several problems', { frames: 1 }, { longerSide: 1080 }, ['ONE_FRAME', 'TOO_SMALL']],
  ] as const)('%s', (_what, change, requested, expected) => {
    expect(codes(change, requested)).toEqual(expected);
  });

  it('and with its checksum', () => {
    expect(codes({}, {}, false)).toEqual(['WRONG_CHECKSUM']);
  });

  it.each([
    [undefined, 'EMPTY'],
    [{ problem: 'NOT_A_VIDEO' }, 'NOT_A_VIDEO'],
    [{ problem: 'TRUNCATED' }, 'TRUNCATED'],
    [{ problem: 'UNREADABLE' }, 'UNREADABLE'],
  ] as const)('without a video: %j', (reading, code) => {
    expect(judge(object, reading)).toMatchObject({ state: 'SUSPECT', bytes: 1000, problems: [{ code }] });
  });
});

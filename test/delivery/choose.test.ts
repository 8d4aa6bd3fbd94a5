import { describe, expect, it } from 'vitest';

import { chooseObject } from '../../shared/delivery/choose.ts';
import type { ExportRecord, RecordIn } from '../../shared/model/record.ts';
import type { StoredObject } from '../../shared/storage/api.ts';
import type { Stored } from '../../shared/store/store.ts';
import { sample } from '../record/samples.ts';

const prefix = 'ndvi/2020';
const at = (minute: number): Date => new Date(Date.UTC(2026, 10, 23, 12, minute));
const stored = <R extends ExportRecord>(id: string, value: R): Stored<R> => ({ id, value, version: '1' });

/** A job that ran from one minute to another one. */
const ran = (id: string, from: number, to: number, change: Partial<RecordIn<'SUCCEEDED'>> = {}) =>
  stored(
    id,
    sample('SUCCEEDED', {
      destination: `gs://b/${prefix}`,
      startedAt: at(from),
      finishedAt: at(to),
      delivery: { state: 'PENDING', problems: [] },
      ...change,
    }),
  );

const file = (form: string, minute: number): StoredObject => ({
  bucket: 'b',
  name: `${prefix}${form}`,
  generation: `${minute}`,
  bytes: 1,
  crc32c: undefined,
  createdAt: at(minute),
});
const numbered = 'ee-export-video11873777431199846688.mp4';

const choose = (objects: readonly StoredObject[], others: readonly Stored<ExportRecord>[] = []): string => {
  const own = ran('own', 20, 30);
  const choice = chooseObject(own, prefix, objects, [own, ...others]);
  return choice === undefined
    ? 'none'
    : 'object' in choice
      ? choice.object.generation
      : choice.ambiguous.code;
};

describe('the video of a job that ran from minute 20 to 30', () => {
  it.each([
    ['under both names', [file('.mp4', 29)], '29'],
    ['under the other one', [file(numbered, 29)], '29'],
    ['which appears late', [file(numbered, 50)], '50'],
    ['and not what was there before', [file('.mp4', 10), file(numbered, 29)], '29'],
    ['or none', [file('.mp4', 19), file('-2.mp4', 29), file('ee-export-videoX.mp4', 29)], 'none'],
    ['or several', [file('.mp4', 29), file(numbered, 29)], 'SEVERAL_FILES'],
  ] as const)('is the file %s', (_what, objects, expected) => {
    expect(choose(objects)).toBe(expected);
  });

  it.each([
    [
      'another record has it',
      ran('later', 40, 50, {
        delivery: { state: 'VERIFIED', object: `gs://b/${prefix}.mp4`, generation: '55', problems: [] },
      }),
      [file('.mp4', 55)],
      'none',
    ],
    ['it was written while only another job ran', ran('later', 40, 50), [file('.mp4', 45)], 'none'],
    [
      'that one replaced an earlier version',
      ran('later', 40, 50),
      [file('.mp4', 45), file(numbered, 29)],
      '29',
    ],
    ['it is not in that time', ran('later', 40, 50), [file('.mp4', 29)], '29'],
    ['the other one failed', stored('failed', sample('FAILED')), [file('.mp4', 29)], '29'],
  ] as const)('if there is another job: %s', (_what, other, objects, expected) => {
    expect(choose(objects, [other])).toBe(expected);
  });

  it.each([
    ['ended meanwhile', ran('other', 10, 25)],
    ['began meanwhile', ran('other', 25, 40)],
    ['is running', stored('other', sample('RUNNING', { startedAt: at(25) }))],
  ])('is ambiguous if another job with the same prefix %s', (_what, other) => {
    expect(choose([file('.mp4', 29)], [other])).toBe('SHARED_PREFIX');
    // Nothing is there yet, so nothing is decided yet.
    expect(choose([], [other])).toBe('none');
  });
});

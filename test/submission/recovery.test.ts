import { readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { findCrashPoints, tableOf } from './crash-points.ts';

/**
 * The crash-point table beside the code says what is true, and leaves nothing out. Where the code's calls have changed,
 * `npm run matrix -- --table` prints the rows as they are to be.
 */

const document = readFileSync(new URL('../../shared/submission/RECOVERY.md', import.meta.url), 'utf8');
const rows = document
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| ---') && !line.startsWith('| situation'));
const struck = rows.filter((row) => /^\| (?:submit|poll)/.test(row));
const named = rows.flatMap((row) => {
  const [, file, title] = / ([a-z-]+\.test\.ts): (.+) \|$/.exec(row) ?? [];
  return file !== undefined && title !== undefined ? [{ file, title }] : [];
});

const points = await findCrashPoints();
const found = tableOf(points);

describe('each row of the crash-point table', () => {
  it.each(struck)('%s', (row) => {
    expect(found).toContain(row);
  });

  it('is there: no call of the code is left out', () => {
    expect(struck.toSorted()).toEqual(found.toSorted());
    expect(new Set(points.map(({ situation }) => situation)).size).toBe(5);
  });
});

describe('after a crash at any point', () => {
  it.each(points.filter(({ kind }) => kind.startsWith('crash')))(
    'a job is moving again within one lease and one poll: $situation, $step $kind',
    ({ minutes }) => {
      expect(minutes).toBeLessThanOrEqual(3);
    },
  );
});

describe('each row that names a test', () => {
  it.each(named)('$file: $title', ({ file, title }) => {
    const source = readFileSync(new URL(file, import.meta.url), 'utf8');
    expect(source).toContain(`'${title}'`);
  });

  it('are all that name none of the steps', () => {
    expect(named.length).toBeGreaterThan(10);
    expect(rows).toHaveLength(struck.length + named.length + 1);
  });
});

import { readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { findCrashPoints, tableOf } from './crash-points.ts';

/**
 * The table of crash points next to the code is correct and complete. After a change of the code's calls,
 * `npm run matrix -- --table` prints the new rows.
 */

const document = readFileSync(new URL('../../shared/submission/RECOVERY.md', import.meta.url), 'utf8');
const rows = document
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| ---') && !line.startsWith('| situation'));
const faultRows = rows.filter((row) => /^\| (?:submit|poll)/.test(row));
const named = rows.flatMap((row) => {
  const [, file, title] = / ([a-z-]+\.test\.ts): (.+) \|$/.exec(row) ?? [];
  return file !== undefined && title !== undefined ? [{ file, title }] : [];
});

const points = await findCrashPoints();
const found = tableOf(points);

describe('each row of the crash-point table', () => {
  it.each(faultRows)('%s', (row) => {
    expect(found).toContain(row);
  });

  it('is in the document, for every call of the code', () => {
    expect(faultRows.toSorted()).toEqual(found.toSorted());
    expect(new Set(points.map(({ situation }) => situation)).size).toBe(5);
  });
});

describe('after a crash at any point', () => {
  it.each(points.filter(({ kind }) => kind.startsWith('crash')))(
    'a job continues within one lease and one poll: $situation, $step $kind',
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

  it('is any row without a step', () => {
    expect(named.length).toBeGreaterThan(10);
    expect(rows).toHaveLength(faultRows.length + named.length + 1);
  });
});

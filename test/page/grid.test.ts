import { describe, expect, it } from 'vitest';

import { gridOf } from '../../page/views/grid.ts';
import { rowOf } from '../../page/views/row.ts';
import { recordFor } from './seed.ts';

const rows = (keys: readonly string[]) =>
  keys.map((key) => {
    const { id, record } = recordFor('PENDING', key);
    return rowOf({ id, value: record, version: '1' });
  });
const shape = (keys: readonly string[]) => {
  const { columns, lines } = gridOf(rows(keys));
  return {
    columns,
    lines: lines.map(({ label, cells }) => [label, cells.map((cell) => cell?.label ?? null)]),
  };
};

describe('the grid of a batch', () => {
  it('has a line and a column for each value of a matrix, in the order of numbers', () => {
    expect(shape(['b/1/alps/10', 'b/1/alps/9', 'b/1/sahel/10', 'b/1/sahel/9'])).toEqual({
      columns: ['9', '10'],
      lines: [
        ['alps', ['9', '10']],
        ['sahel', ['9', '10']],
      ],
    });
  });

  it('has gaps where a job is missing', () => {
    expect(shape(['b/alps/1', 'b/alps/2', 'b/sahel/2']).lines).toEqual([
      ['alps', ['1', '2']],
      ['sahel', [null, '2']],
    ]);
  });

  it('joins the values of more than two dimensions', () => {
    expect(
      shape(['a/x/1', 'a/y/1', 'b/x/1', 'b/y/1', 'a/x/2', 'a/y/2', 'b/x/2', 'b/y/2']).lines.map(
        ([label]) => label,
      ),
    ).toEqual(['a / x', 'a / y', 'b / x', 'b / y']);
  });

  it.each([
    ['one dimension', ['b/1', 'b/2', 'b/10'], [['', ['1', '2', '10']]]],
    ['keys of different lengths', ['b/1', 'c'], [['', ['b/1', 'c']]]],
    ['a single job', ['b/1'], [['', ['b/1']]]],
  ])('wraps with %s', (_, keys, lines) => {
    expect(shape(keys)).toEqual({ columns: [], lines });
  });

  it('is empty without jobs', () => {
    expect(gridOf([]).lines.flatMap(({ cells }) => cells)).toEqual([]);
  });
});

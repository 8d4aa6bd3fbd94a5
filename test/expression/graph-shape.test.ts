import { describe, expect, it } from 'vitest';

import { readExpression } from '../../shared/expression/read-expression.ts';

const constant = (constantValue: unknown) => ({ constantValue });
const call = (functionName: string, args: Record<string, unknown>) => ({
  functionInvocationValue: { functionName, arguments: args },
});
const load = (id: string) => call('ImageCollection.load', { id: constant(id) });
const shape = (values: Record<string, unknown>, result = '0'): string => {
  const reading = readExpression({ result, values });
  if (!('shapeHash' in reading)) {
    throw new Error(JSON.stringify(reading.issues));
  }
  return reading.shapeHash;
};
const filtered = (start: string) =>
  call('Collection.filter', {
    collection: load('A'),
    filter: call('Filter.date', { start: constant(start) }),
  });

describe('the shape of a graph', () => {
  it('does not depend on constants, in whatever form they are', () => {
    expect(shape({ '0': filtered('2020-01-01') })).toBe(shape({ '0': filtered('2024-06-01') }));
    const list = { arrayValue: { values: [constant(1), { integerValue: '2' }] } };
    expect(shape({ '0': call('List.size', { list }) })).toBe(
      shape({ '0': call('List.size', { list: constant([1, 2, 3]) }) }),
    );
  });

  it('depends on what is computed', () => {
    expect(shape({ '0': call('Image.abs', { input: constant(1) }) })).not.toBe(
      shape({ '0': call('Image.sqrt', { input: constant(1) }) }),
    );
    expect(shape({ '0': call('F', { a: load('x'), b: constant(1) }) })).not.toBe(
      shape({ '0': call('F', { b: load('x'), a: constant(1) }) }),
    );
  });

  it('depends neither on names of nodes nor on inlining', () => {
    const inlined = shape({ '0': call('Image.abs', { input: load('x') }) });
    expect(shape({ a: call('Image.abs', { input: { valueReference: 'b' } }), b: load('y') }, 'a')).toBe(
      inlined,
    );
  });

  it('does not depend on how often a list repeats an element', () => {
    const frames = (count: number) =>
      shape({
        '0': call('ImageCollection.fromImages', {
          images: {
            arrayValue: { values: Array.from({ length: count }, (_, n) => filtered(`${2000 + n}`)) },
          },
        }),
      });
    expect(frames(3)).toBe(frames(20));
  });
});

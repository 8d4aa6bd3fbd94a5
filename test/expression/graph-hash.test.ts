import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { readExpression } from '../../shared/expression/read-expression.ts';
import { meaningOf, mutations, rebindings, render, terms } from './graphs.ts';
import { cpuMs } from '../cpu-time.ts';

const constant = (constantValue: unknown) => ({ constantValue });
const reference = (valueReference: string) => ({ valueReference });
const argument = (argumentReference: string) => ({ argumentReference });
const call = (functionName: string, args: Record<string, unknown>) => ({
  functionInvocationValue: { functionName, arguments: args },
});
const define = (argumentNames: string[], body: string) => ({
  functionDefinitionValue: { argumentNames, body },
});
const apply = (functionReference: string, args: Record<string, unknown>) => ({
  functionInvocationValue: { functionReference, arguments: args },
});

function hashOf(values: Record<string, unknown>, result = '0'): string {
  const reading = readExpression({ values, result });
  if ('issues' in reading) {
    throw new Error(JSON.stringify(reading.issues));
  }
  return reading.graphHash;
}

/** A spelling chosen by a seed: a small linear congruential generator. */
function chooser(seed: number): (options: number) => number {
  let state = seed >>> 0;
  return (options) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * options);
  };
}

const plain = (options: number) => options - 1;

describe('the graph hash, as properties', () => {
  it('does not depend on node names, key order, inlining, sharing or the names of arguments', () => {
    fc.assert(
      fc.property(terms(), fc.integer(), fc.integer(), (term, one, other) => {
        const first = render(term, chooser(one));
        const second = render(term, chooser(other));
        expect(hashOf(first.values, first.result)).toBe(hashOf(second.values, second.result));
      }),
      { numRuns: 400 },
    );
  });

  it('changes with any single change in meaning', () => {
    fc.assert(
      fc.property(terms(3), fc.integer(), (term, seed) => {
        const original = render(term, chooser(seed));
        const hash = hashOf(original.values, original.result);
        const meaning = meaningOf(term);
        for (const changed of mutations(term)) {
          if (meaningOf(changed) === meaning) {
            continue;
          }
          const rendering = render(changed, chooser(seed));
          expect(hashOf(rendering.values, rendering.result), meaningOf(changed)).not.toBe(hash);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('changes when an argument is bound elsewhere', () => {
    fc.assert(
      fc.property(terms(4, []), fc.integer(), (term, seed) => {
        const original = render(term, plain);
        const hash = hashOf(original.values, original.result);
        for (const changed of rebindings(term)) {
          const rendering = render(changed, chooser(seed));
          const same = meaningOf(changed) === meaningOf(term);
          expect(hashOf(rendering.values, rendering.result) === hash).toBe(same);
        }
      }),
      { numRuns: 400 },
    );
  });

  it('differs for any two terms, and is the same for any two spellings of one', () => {
    fc.assert(
      fc.property(terms(2), terms(2), fc.integer(), (a, b, seed) => {
        const [one, other] = [render(a, chooser(seed)), render(b, plain)];
        const same = hashOf(one.values, one.result) === hashOf(other.values, other.result);
        expect(same).toBe(meaningOf(a) === meaningOf(b));
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('the graph hash, by example', () => {
  const add = (left: unknown, right: unknown) => call('Image.add', { left, right });

  it('follows scopes, not names', () => {
    // x ↦ (y ↦ x + y)
    const curried = (outer: string, inner: string) =>
      hashOf({
        '0': define([outer], 'f'),
        f: define([inner], 'body'),
        body: add(argument(outer), argument(inner)),
      });
    expect(curried('a', 'b')).toBe(curried('b', 'a'));
    // x ↦ (x ↦ x + x): both are the inner x
    expect(curried('a', 'a')).not.toBe(curried('a', 'b'));
  });

  it.each([2, 16, 17, 100])('does not depend on the order of %d names', (count) => {
    const names = Array.from({ length: count }, (_, n) => `name ${(n * 37) % 101}`);
    const dictionary = (order: readonly string[]) =>
      hashOf({
        '0': {
          dictionaryValue: {
            values: Object.fromEntries(order.map((name) => [name, { constantValue: name }])),
          },
        },
      });
    expect(dictionary(names)).toBe(dictionary(names.toSorted()));
    expect(dictionary(names)).toBe(dictionary(names.toReversed()));
    expect(dictionary(names)).not.toBe(dictionary(names.slice(1)));
  });

  it('keeps the order of arguments', () => {
    const lambda = (names: string[]) =>
      hashOf({ '0': define(names, 'b'), b: add(argument('x'), argument('y')) });
    expect(lambda(['x', 'y'])).not.toBe(lambda(['y', 'x']));
    expect(lambda(['x', 'y'])).not.toBe(lambda(['x', 'y', 'z']));
  });

  it('distinguishes an unused argument from the whole body', () => {
    expect(hashOf({ '0': define(['x', 'y'], 'b'), b: argument('x') })).not.toBe(
      hashOf({ '0': define(['x', 'y'], 'b'), b: argument('y') }),
    );
  });

  it('gives one body shared by two definitions the meaning it has in each', () => {
    const shared = { body: add(argument('x'), argument('y')) };
    const both = (first: string[], second: string[]) =>
      hashOf({
        ...shared,
        '0': call('Pair', { a: reference('f'), b: reference('g') }),
        f: define(first, 'body'),
        g: define(second, 'body'),
      });
    expect(both(['x', 'y'], ['x', 'y'])).not.toBe(both(['x', 'y'], ['y', 'x']));
  });

  it('uses the positions of arguments instead of their names if the function is known', () => {
    const applied = (x: string, y: string) =>
      hashOf({
        '0': apply('f', { [x]: constant(1), [y]: constant(2) }),
        f: reference('g'),
        g: define([x, y], 'b'),
        b: add(argument(x), argument(y)),
      });
    expect(applied('x', 'y')).toBe(applied('b', 'a'));
    const swapped = hashOf({
      '0': apply('f', { x: constant(2), y: constant(1) }),
      f: define(['x', 'y'], 'b'),
      b: add(argument('x'), argument('y')),
    });
    expect(swapped).not.toBe(applied('x', 'y'));
  });

  it('keeps names if a function is known only when the graph runs', () => {
    // (f ↦ f(x: 1, y: 2))((p, q) ↦ p + q): the names determine what is passed.
    const indirect = (p: string, q: string) =>
      hashOf({
        '0': apply('caller', { f: define([p, q], 'sum') }),
        caller: define(['f'], 'inner'),
        inner: apply('callee', { x: constant(1), y: constant(2) }),
        callee: argument('f'),
        sum: call('Image.subtract', { left: argument(p), right: argument(q) }),
      });
    expect(indirect('x', 'y')).not.toBe(indirect('y', 'x'));
  });

  it('ignores entries that result does not lead to', () => {
    expect(hashOf({ '0': constant(1), '1': constant(2) })).toBe(hashOf({ '0': constant(1) }));
    expect(
      hashOf({ '0': define(['a'], 'b'), b: argument('a'), c: apply('d', {}), d: call('Which', {}) }),
    ).toBe(hashOf({ '0': define(['x'], 'b'), b: argument('x') }));
  });

  it.each([
    ['1 and "1"', constant(1), constant('1')],
    ['null and false', constant(null), constant(false)],
    ['[] and {}', constant([]), constant({})],
    ['a constant and an integer', constant(1), { integerValue: '1' }],
    ['an integer and bytes', { integerValue: '1000' }, { bytesValue: '1000' }],
    ['a constant array and an array of constants', constant([1]), { arrayValue: { values: [constant(1)] } }],
    ['nested and flat', constant([[1], 2]), constant([[1, 2]])],
    ['text divided in two ways', constant(['ab', 'c']), constant(['a', 'bc'])],
    ['long text and longer text', constant('x'.repeat(500)), constant('x'.repeat(501))],
    ['composed and decomposed accents', constant('\u00e9'), constant('e\u0301')],
    ['numbers that differ in the last digit', constant(0.1), constant(0.10000000000000002)],
    ['an algorithm and its name', call('f', {}), constant('f')],
  ])('differs for %s', (_, one, other) => {
    expect(hashOf({ '0': one })).not.toBe(hashOf({ '0': other }));
  });

  it('reads -0 as 0, which is what is sent', () => {
    expect(hashOf({ '0': constant(-0) })).toBe(hashOf({ '0': constant(0) }));
  });

  // Stored data depends on these: other values would make every old job without a jobKey a new one.
  it.each<[string, string, Record<string, unknown>]>([
    [
      'an unused argument',
      '5abf1a8c855ff077',
      { '0': define(['x', 'y'], 'b'), b: call('Image.abs', { value: argument('y') }) },
    ],
    ['a function that ignores its argument', '57b5fca375d9f98d', { '0': define(['x'], 'b'), b: constant(1) }],
    ['a part of 31 bytes', '86a460fd32114b20', { '0': constant('x'.repeat(28)) }],
    ['a part of 32 bytes', '44dfb0901db7e009', { '0': constant('x'.repeat(29)) }],
    ['a part of 33 bytes', '49b4a8927999bbea', { '0': constant('x'.repeat(30)) }],
    ['a part of 63 bytes', '8bbf216e443e18d2', { '0': constant('x'.repeat(60)) }],
    ['a part of 64 bytes', '22aff09e9e73f546', { '0': constant('x'.repeat(61)) }],
  ])('of %s stays the same from version to version: %s', (_, hash, values) => {
    expect(hashOf(values).slice(0, 16)).toBe(hash);
  });

  it('stays the same from version to version', () => {
    expect(
      hashOf({
        '0': call('Collection.map', { f: define(['x'], 'b') }),
        b: add(argument('x'), constant([1, 'é', null])),
      }),
    ).toMatchInlineSnapshot(`"e76d8fd4c8fd655528f417d7562cc89a2a0d6f56f2cfde52b081efe8da5a75a3"`);
  });
});

describe('the cost of the graph hash', () => {
  function timed(work: () => void): number {
    const start = cpuMs();
    work();
    return cpuMs() - start;
  }

  it('counts a shared node once: 1,000 levels of two references each', () => {
    const values: Record<string, unknown> = { n0: define(['x'], 'b'), b: argument('x') };
    for (let level = 1; level <= 1_000; level += 1) {
      values[`n${level}`] = call('Image.add', {
        left: reference(`n${level - 1}`),
        right: reference(`n${level - 1}`),
      });
    }
    expect(timed(() => hashOf(values, 'n1000'))).toBeLessThan(1_000);
  });

  it('counts a shared node with a free argument once', () => {
    const values: Record<string, unknown> = { n0: argument('x'), '0': define(['x'], 'n1000') };
    for (let level = 1; level <= 1_000; level += 1) {
      values[`n${level}`] = {
        arrayValue: { values: [reference(`n${level - 1}`), reference(`n${level - 1}`)] },
      };
    }
    expect(timed(() => hashOf(values))).toBeLessThan(1_000);
  });

  it('follows a chain of 10,000 references and of 10,000 functions within functions', () => {
    const values: Record<string, unknown> = { r0: constant(1), f0: argument('x') };
    for (let level = 1; level <= 10_000; level += 1) {
      values[`r${level}`] = reference(`r${level - 1}`);
      values[`f${level}`] = define([`x${level}`], `f${level - 1}`);
    }
    values['0'] = call('Pair', { a: reference('r10000'), b: define(['x'], 'f10000') });
    expect(timed(() => hashOf(values))).toBeLessThan(2_000);
  });

  it('rejects graphs in which thousands of functions have thousands of names in scope', () => {
    const wide = {
      arrayValue: { values: Array.from({ length: 3_000 }, (_, index) => argument(`x${index}`)) },
    };
    const values: Record<string, unknown> = { n0: wide };
    for (let level = 1; level <= 1_500; level += 1) {
      values[`n${level}`] = { arrayValue: { values: [reference(`n${level - 1}`), constant(level)] } };
    }
    values['0'] = define(
      Array.from({ length: 3_000 }, (_, index) => `x${index}`),
      'n1500',
    );
    let reading: unknown;
    expect(timed(() => (reading = readExpression({ values, result: '0' })))).toBeLessThan(2_000);
    expect(reading).toMatchObject({ issues: [{ path: 'request.expression' }] });
  });
});

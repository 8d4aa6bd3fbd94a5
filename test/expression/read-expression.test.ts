import { readdirSync, readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { readExpression } from '../../shared/expression/read-expression.ts';
import { cpuMs } from '../cpu-time.ts';

const constant = (constantValue: unknown) => ({ constantValue });
const reference = (valueReference: string) => ({ valueReference });
const argument = (argumentReference: string) => ({ argumentReference });
const call = (functionName: string, args: Record<string, unknown>) => ({
  functionInvocationValue: { functionName, arguments: args },
});
const define = (argumentNames: unknown, body: unknown) => ({
  functionDefinitionValue: { argumentNames, body },
});

function issuesOf(expression: unknown) {
  const reading = readExpression(expression);
  return 'issues' in reading ? reading.issues : [];
}

const fixtures = new URL('../fixtures/requests/', import.meta.url);

describe('a graph from an official client', () => {
  it.each(readdirSync(fixtures))('%s is valid', (file) => {
    const request = JSON.parse(readFileSync(new URL(file, fixtures), 'utf8')) as { expression: unknown };
    expect(issuesOf(request.expression)).toEqual([]);
  });
});

describe('a node', () => {
  const path = 'request.expression.values["0"]';
  it.each<[string, unknown, string, string]>([
    ['a number instead of an object', 3, path, 'found 3; allowed: a value node'],
    ['no kind', {}, path, 'exactly one of constantValue'],
    ['two kinds', { constantValue: 1, valueReference: '0' }, path, 'exactly one of constantValue'],
    ['an unknown field', { constantValue: 1, sourceUrl: 'x' }, `${path}.sourceUrl`, 'is not a field'],
    ['integerValue as a number', { integerValue: 3 }, `${path}.integerValue`, 'found 3; allowed: an int64'],
    [
      'integerValue beyond int64',
      { integerValue: '9223372036854775808' },
      `${path}.integerValue`,
      'an int64',
    ],
    ['bytesValue without padding', { bytesValue: 'YQ' }, `${path}.bytesValue`, 'base64'],
    ['arrayValue without an array', { arrayValue: { values: {} } }, `${path}.arrayValue.values`, 'an array'],
    ['arrayValue as a bare array', { arrayValue: [] }, `${path}.arrayValue`, 'an object with values'],
    [
      'an invalid item',
      { arrayValue: { values: [constant(1), null] } },
      `${path}.arrayValue.values[1]`,
      'found null; allowed: a value node',
    ],
    [
      'an invalid member',
      { dictionaryValue: { values: { 'a b': 1 } } },
      `${path}.dictionaryValue.values["a b"]`,
      'found 1',
    ],
    [
      'a definition without a body',
      define([], undefined),
      `${path}.functionDefinitionValue.body`,
      'is missing',
    ],
    [
      'a repeated argument name',
      define(['x', 'x'], '0'),
      `${path}.functionDefinitionValue.argumentNames[1]`,
      'each name once',
    ],
    [
      'an argument name that is not text',
      define([1], '0'),
      `${path}.functionDefinitionValue.argumentNames[0]`,
      'found 1',
    ],
    [
      'functionName and functionReference',
      { functionInvocationValue: { functionName: 'f', functionReference: '0', arguments: {} } },
      `${path}.functionInvocationValue`,
      'exactly one of functionName, functionReference',
    ],
    [
      'neither functionName nor functionReference',
      { functionInvocationValue: { arguments: {} } },
      `${path}.functionInvocationValue`,
      'exactly one of functionName, functionReference',
    ],
    [
      'arguments that are not an object',
      { functionInvocationValue: { functionName: 'f', arguments: [] } },
      `${path}.functionInvocationValue.arguments`,
      'an object of value nodes',
    ],
    [
      'a number beyond the range of double',
      constant(JSON.parse('[1e400]')),
      `${path}.constantValue[0]`,
      'beyond',
    ],
    ['half a surrogate pair', constant({ a: ['\ud800'] }), `${path}.constantValue.a[0]`, 'surrogate'],
    ['an empty reference', reference(''), `${path}.valueReference`, 'a key of values'],
  ])('with %s is rejected', (_, node, at, message) => {
    expect(issuesOf({ values: { '0': node }, result: '0' })).toContainEqual({
      path: at,
      message: expect.stringContaining(message) as string,
    });
  });

  it('may omit empty parts', () => {
    const values = {
      '0': { functionInvocationValue: { functionName: 'f' } },
      '1': { arrayValue: {} },
      '2': { dictionaryValue: {} },
      '3': { functionDefinitionValue: { body: '0' } },
      '4': { integerValue: '-9223372036854775808' },
      '5': { bytesValue: 'YQ==' },
      '6': constant(null),
    };
    expect(issuesOf({ values, result: '0' })).toEqual([]);
  });

  it('may have the name of a method that every object has', () => {
    const values = {
      constructor: call('toString', { hasOwnProperty: reference('valueOf') }),
      valueOf: constant({ constructor: 1 }),
    };
    expect(issuesOf({ values, result: 'constructor' })).toEqual([]);
    expect(issuesOf({ values, result: 'isPrototypeOf' })).toEqual([
      {
        path: 'request.expression.result',
        message: 'found "isPrototypeOf"; allowed: a key that values has',
      },
    ]);
  });
});

describe('references', () => {
  it.each<[string, unknown]>([
    ['valueReference', reference('9')],
    ['functionDefinitionValue.body', define([], '9')],
    [
      'functionInvocationValue.functionReference',
      { functionInvocationValue: { functionReference: '9', arguments: {} } },
    ],
  ])('%s must exist', (path, node) => {
    expect(issuesOf({ values: { '0': node }, result: '0' })).toEqual([
      {
        path: `request.expression.values["0"].${path}`,
        message: 'found "9"; allowed: a key that values has',
      },
    ]);
  });

  it('must not form a cycle', () => {
    const values = {
      '0': call('f', { a: reference('1') }),
      '1': define([], '2'),
      '2': { arrayValue: { values: [reference('1')] } },
    };
    expect(issuesOf({ values, result: '0' })).toEqual([
      {
        path: 'request.expression.values["1"]',
        message: 'refers to itself: "1" → "2" → "1"; allowed: a graph without cycles',
      },
    ]);
    expect(issuesOf({ values: { '0': reference('0') }, result: '0' })).toHaveLength(1);
  });

  it('must not form a cycle in entries that result does not lead to', () => {
    const values = { '0': constant(1), '1': reference('2'), '2': reference('1') };
    expect(issuesOf({ values, result: '0' })).toHaveLength(1);
  });

  it('may be a chain of 10,000, but not a cycle of 10,000', () => {
    const values: Record<string, unknown> = { '0': constant(1) };
    for (let level = 1; level <= 10_000; level += 1) {
      values[level] = { arrayValue: { values: [reference(String(level - 1))] } };
    }
    expect(issuesOf({ values, result: '10000' })).toEqual([]);
    values['0'] = reference('10000');
    const [issue] = issuesOf({ values, result: '10000' });
    expect(issue?.message).toMatch(/^refers to itself: /);
    expect(issue?.message.length).toBeLessThan(200);
  });
});

describe('scopes', () => {
  const add = (left: unknown, right: unknown) => call('Image.add', { left, right });

  it('an argument belongs to an enclosing definition, however far out', () => {
    const values = {
      '0': define(['x'], '1'),
      '1': define(['y'], '2'),
      '2': add(argument('x'), reference('3')),
      '3': argument('y'),
    };
    expect(issuesOf({ values, result: '0' })).toEqual([]);
  });

  it('an argument without one is reported with its path', () => {
    const values = {
      '0': define(['x'], '1'),
      '1': add(argument('x'), { arrayValue: { values: [argument('y')] } }),
    };
    expect(issuesOf({ values, result: '0' })).toEqual([
      {
        path: 'request.expression.values["1"].functionInvocationValue.arguments.right.arrayValue.values[0].argumentReference',
        message: expect.stringContaining('found "y", which no enclosing function has') as string,
      },
    ]);
  });

  it('an argument in a body that is also used outside its function is unbound there', () => {
    const values = { '0': call('Pair', { a: define(['x'], '1'), b: reference('1') }), '1': argument('x') };
    expect(issuesOf({ values, result: '0' })).toMatchObject([
      { path: 'request.expression.values["1"].argumentReference' },
    ]);
  });

  it('an argument in an entry that nothing refers to is unbound', () => {
    expect(issuesOf({ values: { '0': constant(1), '1': argument('x') }, result: '0' })).toMatchObject([
      { path: 'request.expression.values["1"].argumentReference' },
    ]);
  });

  it("a definition's arguments are not in scope where the definition is passed", () => {
    const values = { '0': call('map', { f: define(['x'], '1'), by: argument('x') }), '1': argument('x') };
    expect(issuesOf({ values, result: '0' })).toMatchObject([
      { path: 'request.expression.values["0"].functionInvocationValue.arguments.by.argumentReference' },
    ]);
  });
});

describe('nesting', () => {
  const nested = (levels: number) => {
    let node: unknown = constant(1);
    for (let level = 1; level < levels; level += 1) {
      node = { arrayValue: { values: [node] } };
    }
    return { values: { '0': node }, result: '0' };
  };

  it('counts nodes within one entry, up to 100', () => {
    expect(issuesOf(nested(100))).toEqual([]);
    expect(issuesOf(nested(101))).toEqual([
      {
        path: expect.stringMatching(/^request\.expression\.values\["0"\]\.arrayValue\.values\[0\]/) as string,
        message: expect.stringContaining('is nested more than 100 nodes deep') as string,
      },
    ]);
  });

  it('of 10,000 nodes or JSON levels is a single issue', () => {
    expect(issuesOf(nested(10_000))).toHaveLength(1);
    const levels = JSON.parse('['.repeat(10_000) + ']'.repeat(10_000)) as unknown;
    expect(issuesOf({ values: { '0': constant(levels) }, result: '0' })).toMatchObject([
      { message: 'is nested more than 500 levels deep; allowed: a constant of fewer levels' },
    ]);
    expect(issuesOf(levels)).toMatchObject([{ path: 'request.expression' }]);
  });
});

describe('hostile graphs', () => {
  it('__proto__ is rejected at every position', () => {
    const expression: unknown = JSON.parse(`{
      "values": {
        "0": {"constantValue": {"a": [{"__proto__": {"x": 1}}]}},
        "1": {"dictionaryValue": {"values": {"__proto__": {"constantValue": 1}}}},
        "2": {"functionInvocationValue": {"functionName": "f", "arguments": {"__proto__": {"constantValue": 1}}}},
        "3": {"__proto__": {"constantValue": 1}},
        "4": {"functionDefinitionValue": {"argumentNames": ["__proto__"], "body": "0"}},
        "5": {"arrayValue": {"__proto__": []}},
        "__proto__": {"constantValue": 1}
      },
      "result": "0"
    }`);
    const values = 'request.expression.values';
    expect(issuesOf(expression).map(({ path }) => path)).toEqual([
      `${values}["0"].constantValue.a[0].__proto__`,
      `${values}["1"].dictionaryValue.values.__proto__`,
      `${values}["2"].functionInvocationValue.arguments.__proto__`,
      `${values}["3"].__proto__`,
      `${values}["3"]`,
      `${values}["4"].functionDefinitionValue.argumentNames[0]`,
      `${values}["5"].arrayValue.__proto__`,
      `${values}.__proto__`,
    ]);
  });

  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['text', 'x'],
    ['an array', []],
    ['no values', { result: '0' }],
    ['values as an array', { values: [], result: '0' }],
    ['no result', { values: { '0': constant(1) } }],
    ['a result that is not text', { values: { '0': constant(1) }, result: 0 }],
    ['an unknown field', { values: { '0': constant(1) }, result: '0', version: 1 }],
  ])('%s is rejected', (_, expression) => {
    expect(issuesOf(expression)).toHaveLength(1);
  });

  it('with 200,000 issues quickly report fifty and count the rest', () => {
    const values = Object.fromEntries(
      Array.from({ length: 200_000 }, (_, index) => [`k${index}`, { x: index }]),
    );
    const start = cpuMs();
    const issues = issuesOf({ values, result: 'k0' });
    expect(cpuMs() - start).toBeLessThan(2_000);
    expect(issues).toHaveLength(51);
    expect(issues.at(-1)?.message).toMatch(/^and at least \d+ more$/);
  });

  it('with many cycles or unbound names are rejected quickly', () => {
    const ring: Record<string, unknown> = {};
    for (let index = 0; index < 20_000; index += 1) {
      ring[index] = { arrayValue: { values: [reference(String(index + 1)), reference('0')] } };
    }
    ring[20_000] = constant(1);
    const unbound: Record<string, unknown> = { '0': argument('x0') };
    for (let index = 1; index < 20_000; index += 1) {
      unbound[index] = { arrayValue: { values: [reference(String(index - 1)), argument(`x${index % 5}`)] } };
    }
    const start = cpuMs();
    expect(issuesOf({ values: ring, result: '0' }).length).toBeGreaterThan(0);
    expect(issuesOf({ values: unbound, result: '19999' }).length).toBeGreaterThan(0);
    expect(cpuMs() - start).toBeLessThan(3_000);
  });

  it('are not quoted at length', () => {
    const [issue] = issuesOf({ values: { '0': reference('x'.repeat(1_000_000)) }, result: '0' });
    expect(issue?.message.length).toBeLessThan(200);
    expect(
      issuesOf({ values: { '0': { bytesValue: `${'A'.repeat(9_999_999)}*` } }, result: '0' }),
    ).toHaveLength(1);
  });
});

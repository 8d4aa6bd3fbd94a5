import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, it } from 'vitest';

import { mutate } from './mutant.ts';
import { mutants } from './mutants.ts';
import { root } from './scratch.ts';

describe('the list of mutants', () => {
  it.each(mutants)('$name still applies to the code', (mutant) => {
    const source = readFileSync(join(root, mutant.file), 'utf8');
    expect(mutate(source, mutant)).not.toBe(source);
  });

  it('names tests that exist', () => {
    const tests = new Set(mutants.flatMap((mutant) => mutant.tests));
    expect([...tests].filter((file) => !existsSync(join(root, file)))).toEqual([]);
  });

  it('has at least one test for each mutant', () => {
    expect(mutants.filter(({ tests }) => tests.length === 0)).toEqual([]);
  });

  it('names each mutant once', () => {
    const names = mutants.map(({ name }) => name);
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  });

  it('has mutants of every rule', () => {
    const rules = new Set(mutants.map(({ rule }) => rule));
    const all = Array.from({ length: 14 }, (_, index) => index + 1);
    expect(all.filter((rule) => !rules.has(rule))).toEqual([]);
  });

  it('rejects a text that occurs twice, or never', () => {
    const mutant = { name: 'x', removes: 'x', file: 'x.ts', find: 'a', replace: 'b', tests: [] };
    expect(() => mutate('a a', mutant)).toThrow('2 times in x.ts');
    expect(() => mutate('c', mutant)).toThrow('0 times');
    expect(mutate('cac', { ...mutant, replace: '$&' })).toBe('c$&c');
  });
});

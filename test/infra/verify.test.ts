import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { describe, expect, it } from 'vitest';

import { type Check, checks, outcomeOfTests, run, runAll } from '../../infra/verify.ts';
import { root } from './stack.ts';

const never = new AbortController().signal;
const script = (source: string): Check => ({
  name: 'a check',
  seconds: 1,
  command: [process.execPath, '-e', source],
});
const text = (file: string) => readFile(join(root, file), 'utf8');

describe('the list of checks', () => {
  it('is what a person, .ci/run and Cloud Build run', async () => {
    const { scripts } = JSON.parse(await text('package.json')) as { scripts: Record<string, string> };
    expect(scripts['verify']).toBe('node infra/verify.ts');
    expect(await text('.ci/run')).toContain('npm run -s verify\n');
    expect(await text('cloudbuild.yaml')).toContain('npm run verify -- --no-skip\n');
  });

  it('names scripts that exist', async () => {
    const { scripts } = JSON.parse(await text('package.json')) as { scripts: Record<string, string> };
    const named = checks.filter(({ command }) => command[0] === 'npm').map(({ command }) => command[3]);
    expect(named).toHaveLength(15);
    expect(named.filter((name = '') => !(name in scripts))).toEqual([]);
  });
});

describe('run', () => {
  it.each([
    ['a command that succeeds', script(''), { passed: 1, failed: 0 }],
    ['a command that fails', script('process.exit(3)'), { passed: 0, failed: 1 }],
    ['a command that does not exist', { ...script(''), command: ['/nowhere'] }, { passed: 0, failed: 1 }],
    [
      'a check that cannot run here',
      { ...script(''), obstacle: () => Promise.resolve('no tools') },
      { passed: 0, failed: 0, skipped: 'no tools' },
    ],
    ['tests that write no report', { ...script(''), countsTests: true } as const, { passed: 0, failed: 1 }],
  ])('%s', async (_what, check, outcome) => {
    await expect(run(check, never)).resolves.toEqual(outcome);
  });

  it('stops a check that takes too long', async () => {
    const began = performance.now();
    await expect(run(script('setInterval(() => {}, 1000)'), never)).resolves.toEqual({
      passed: 0,
      failed: 1,
    });
    expect(performance.now() - began).toBeLessThan(10_000);
  });
});

describe('runAll', () => {
  it('runs two checks at a time, but one alone, and one at a time of those that build', async () => {
    const named = (name: string, traits: Partial<Check> = {}): Check => ({ ...script(''), name, ...traits });
    const all = [
      named('a', { builds: true }),
      named('b', { builds: true }),
      named('alone', { isAlone: true }),
      named('c'),
      named('d'),
    ];
    const running = new Set<string>();
    const seen: string[] = [];
    await runAll(all, async ({ name }) => {
      running.add(name);
      seen.push([...running].join('+'));
      await new Promise(setImmediate);
      running.delete(name);
    });
    expect(seen).toEqual(['a', 'a+c', 'c+b', 'b+d', 'alone']);
  });
});

describe('outcomeOfTests', () => {
  const report = (counts: object) => JSON.stringify(counts);

  it.each([
    ['every test passes', 0, { numPassedTests: 7 }, { passed: 7, failed: 0 }],
    [
      'a skipped test counts as failed',
      0,
      { numPassedTests: 7, numPendingTests: 1 },
      { passed: 7, failed: 1 },
    ],
    ['a file that cannot be loaded fails the run', 1, { numPassedTests: 7 }, { passed: 7, failed: 1 }],
    ['no test at all', 0, {}, { passed: 0, failed: 1 }],
  ])('%s', (_what, code, counts, outcome) => {
    expect(outcomeOfTests(code, report(counts))).toEqual(outcome);
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { startStack, type Stack } from '../../infra/local/stack.ts';
import { run } from '../processes.ts';

/** The Python package, tested by its own unit tests and against the local stack. Needs `python3`, without packages. */

const unittest = async (pattern: string, environment?: Readonly<Record<string, string>>) => {
  const args = ['-m', 'unittest', 'discover', '-s', 'test/python', '-p', pattern];
  const python = run('python3', args, { ...process.env, PYTHONDONTWRITEBYTECODE: '1', ...environment });
  const code = await python.closed;
  return { code, output: python.output() };
};

const passed = /^Ran (\d+) tests in .*\n\nOK$/m;

describe('the Python package', () => {
  let stack: Stack;
  const problems: Error[] = [];

  beforeAll(async () => {
    stack = await startStack({
      project: `demo-python-${process.pid}`,
      simulator: { pendingMs: 0, runMs: [100, 200], startsPerSecond: 100, concurrency: 20 },
      pollEveryMs: 200,
      onProblem: (problem) => problems.push(problem),
    });
  });

  afterAll(() => stack.stop());

  it('builds requests, retries calls, and shows progress', async () => {
    const { code, output } = await unittest('test_*.py');
    expect(code, output).toBe(0);
    expect(Number(passed.exec(output)?.[1])).toBeGreaterThan(20);
  });

  it('submits tasks of the official client to the service, and follows them', async () => {
    const { code, output } = await unittest('service_test.py', stack.environment);
    expect(code, output).toBe(0);
    expect(Number(passed.exec(output)?.[1])).toBeGreaterThan(5);
    expect(problems).toEqual([]);
  }, 120_000);

  it('imports nothing that earthengine-api does not install', async () => {
    const imports = run('grep', ['-rhoE', '^ *(import|from) +\\w+', 'python/ee_video_exports']);
    await imports.closed;
    const modules = new Set(
      [...imports.output().matchAll(/^ *(?:import|from) +(\w+)/gm)].map(([, name]) => name),
    );
    const known = run('python3', ['-c', 'import sys; print(*sys.stdlib_module_names)']);
    await known.closed;
    const standard = new Set(known.output().trim().split(' '));
    standard.add('ee_video_exports');
    const others = [...modules].filter((name) => name !== undefined && !standard.has(name));
    // IPython is there in a notebook, and pandas is optional.
    expect(new Set(others)).toEqual(new Set(['IPython', 'ee', 'google', 'pandas']));
  });
});

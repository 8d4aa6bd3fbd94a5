import { describe, expect, it } from 'vitest';

import { run } from '../../processes.ts';

const scripts: readonly (readonly [file: string, usage: string])[] = [
  ['infra/local/start.ts', 'usage: npm start '],
  ['infra/local/demo.ts', 'usage: npm run demo '],
  ['test/chaos/run.ts', 'usage: npm run chaos '],
  ['test/model/run.ts', 'usage: npm run model '],
  ['test/submission/matrix.ts', 'usage: npm run matrix '],
  ['test/bench/run.ts', 'usage: npm run bench '],
];

/** Runs a script, and returns its exit code and its output, which must not have a stack trace. */
async function runScript(file: string, argument: string): Promise<{ code: number | null; output: string }> {
  const script = run(process.execPath, [file, argument]);
  const code = await script.closed;
  const output = script.output();
  expect(output).not.toMatch(/^\s+at /m);
  return { code, output };
}

describe('the options of npm scripts', () => {
  it.each(scripts)('%s prints its usage for --help', async (file, usage) => {
    const { code, output } = await runScript(file, '--help');
    expect({ code, first: output.slice(0, usage.length) }).toEqual({ code: 0, first: usage });
  });

  it.each(scripts)('%s rejects an unknown option, and starts nothing', async (file, usage) => {
    const { code, output } = await runScript(file, '--emmbedded');
    expect(code).toBe(2);
    expect(output).toContain("'--emmbedded'");
    expect(output).toContain(usage);
  });

  it('reject a number that is not whole', async () => {
    const { code, output } = await runScript('test/submission/matrix.ts', '--seeds=two');
    expect(code).toBe(2);
    expect(output).toContain('--seeds must be a whole number from 1; found two');
  });
});

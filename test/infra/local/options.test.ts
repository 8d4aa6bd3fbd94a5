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

/** What it prints and ends with, and nothing of a stack. */
async function ends(file: string, argument: string): Promise<{ code: number | null; output: string }> {
  const script = run(process.execPath, [file, argument]);
  const code = await script.closed;
  const output = script.output();
  expect(output).not.toMatch(/^\s+at /m);
  return { code, output };
}

describe('the options of npm scripts', () => {
  it.each(scripts)('%s has its usage under --help', async (file, usage) => {
    const { code, output } = await ends(file, '--help');
    expect({ code, first: output.slice(0, usage.length) }).toEqual({ code: 0, first: usage });
  });

  it.each(scripts)('%s names an option that there is not, and starts nothing', async (file, usage) => {
    const { code, output } = await ends(file, '--emmbedded');
    expect(code).toBe(2);
    expect(output).toContain("'--emmbedded'");
    expect(output).toContain(usage);
  });

  it('take no number but a whole one', async () => {
    const { code, output } = await ends('test/submission/matrix.ts', '--seeds=two');
    expect(code).toBe(2);
    expect(output).toContain('--seeds must be a whole number from 1: found two');
  });
});

import { dirname } from 'node:path';

import { describe, expect, it } from 'vitest';

import { codeBlock } from '../../docs/pages.ts';
import { descendants, run, running, withoutEmulators, type Run } from '../../processes.ts';

const pidOf = ({ process: { pid } }: Run): number => pid as number;

describe('npm run demo', () => {
  it('runs the examples on its own emulators, prints plain lines to a pipe, and leaves no process behind', async () => {
    const demo = run('npm', ['run', 'demo'], withoutEmulators);
    await demo.printed('SUBMITTING');
    const pids = descendants(pidOf(demo));
    // npm's shell, the demo, five functions, and two emulators.
    expect(pids.length).toBeGreaterThanOrEqual(9);
    expect(await demo.closed, demo.output()).toBe(0);
    expect(running(pids)).toEqual([]);
    const output = demo.output();
    expect(output).not.toContain('\u001B');
    expect(output).toMatch(/^\d\d:\d\d:\d\d {2}SUCCEEDED {3}examples\/africa-ndvi\/2020 /m);
    expect(output).toContain('Earth Engine: 3 operations for 3 jobs, started by 3 calls.');
    expect(output).toMatch(/INVALID_JOB\n {4}request\.videoOptions\.framesPerSecond: found 500/);
    expect(Math.max(...output.split('\n').map(({ length }) => length))).toBeLessThanOrEqual(80);
  });

  it('runs embedded, and reports it, if there are no emulators', async () => {
    // Without Java and without the Google Cloud CLI.
    const demo = run(process.execPath, ['infra/local/demo.ts'], {
      PATH: dirname(process.execPath),
      HOME: '/nonexistent',
    });
    expect(await demo.closed, demo.output()).toBe(0);
    expect(demo.output()).toContain("Embedded, because Google's emulators are not installed");
    expect(demo.output()).toContain('3 operations for 3 jobs');
  });

  it('stops and fails when it is interrupted', async () => {
    const demo = run(process.execPath, ['infra/local/demo.ts', '--embedded']);
    await demo.printed('SUBMITTING');
    demo.process.kill('SIGINT');
    expect(await demo.closed).toBe(1);
    expect(demo.output()).toContain('Interrupted.');
  });
});

describe('npm start', () => {
  it("prints what README's commands need, and leaves no process behind when npm is ended", async () => {
    const start = run('npm', ['start']);
    await start.printed('Events of the service:');
    const pids = descendants(pidOf(start));
    const exports = start
      .output()
      .split('\n')
      .filter((line) => line.startsWith('  export '))
      .join('\n');
    const first = run(
      'bash',
      ['-ec', `${exports}\n${codeBlock('README.md', 'sh', '$(cat infra/local/examples')}`],
      withoutEmulators,
    );
    expect(await first.closed, first.output()).toBe(0);
    await start.printed('SUCCEEDED   ve1-');
    const second = run(
      'bash',
      ['-ec', `${exports}\n${codeBlock('README.md', 'sh', '$(cat infra/local/examples')}`],
      withoutEmulators,
    );
    await second.closed;
    expect(second.output()).toContain('"stringValue": "SUCCEEDED"');

    start.process.kill('SIGTERM');
    await start.closed;
    expect(running(pids)).toEqual([]);
    expect(start.output()).toContain('Everything is stopped.');
  });

  it('explains how to install the emulators if there are none', async () => {
    const start = run(process.execPath, ['infra/local/start.ts'], {
      PATH: dirname(process.execPath),
      HOME: '/nonexistent',
    });
    expect(await start.closed).toBe(1);
    expect(start.output()).toContain('gcloud components install cloud-firestore-emulator pubsub-emulator');
    expect(start.output()).not.toContain('    at ');
  });
});

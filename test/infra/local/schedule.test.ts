import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { publishOnSchedule } from '../../../infra/local/schedule.ts';

describe('a schedule on this machine', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'schedule-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('publishes the current content of the file until it is stopped', async () => {
    const manifestPath = join(folder, 'manifest.json');
    await writeFile(manifestPath, '{"batchId":"first"}');
    const ending = new AbortController();
    const published: string[] = [];
    const twice = Promise.withResolvers<void>();
    publishOnSchedule({
      cron: '* * * * * *',
      manifestPath,
      publish: async (manifest) => {
        published.push(manifest);
        await writeFile(manifestPath, '{"batchId":"second"}');
        if (published.length === 2) {
          twice.resolve();
        }
      },
      signal: ending.signal,
      onProblem: (problem) => twice.reject(problem),
    });
    await twice.promise;
    ending.abort();
    expect(published).toEqual(['{"batchId":"first"}', '{"batchId":"second"}']);
  });

  it('reports errors, and continues', async () => {
    const ending = new AbortController();
    const problem = Promise.withResolvers<Error>();
    const manifestPath = join(folder, 'none.json');
    const published = Promise.withResolvers<string>();
    publishOnSchedule({
      cron: '* * * * * *',
      manifestPath,
      publish: async (manifest) => published.resolve(manifest),
      signal: ending.signal,
      onProblem: problem.resolve,
    });
    expect((await problem.promise).message).toContain('none.json');
    await writeFile(manifestPath, '{}');
    expect(await published.promise).toBe('{}');
    ending.abort();
  });

  it('rejects an invalid cron expression', () => {
    const schedule = {
      manifestPath: '',
      publish: async () => {},
      signal: AbortSignal.abort(),
      onProblem: () => {},
    };
    expect(() => publishOnSchedule({ ...schedule, cron: 'daily' })).toThrow(
      expect.objectContaining({ code: 'CRON_INVALID' }) as Error,
    );
    expect(publishOnSchedule({ ...schedule, cron: '0 6 * * 1' })).toBeUndefined();
  });
});

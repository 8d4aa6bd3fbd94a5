import { globSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

import { createMemoryStore } from '../../infra/local/memory/store.ts';
import { isTerminal, recordStates } from '../../shared/model/record.ts';
import { recordQueries } from '../../shared/store/queries.ts';
import { sample } from './samples.ts';

/** What a new state needs beyond what the compiler and `transitions.test.ts` require of it. */

const dueAt = new Date('2026-11-23T12:00:00Z');
const root = resolve(import.meta.dirname, '../..');

describe.each(recordStates)('a record in %s', (state) => {
  const record = sample(state);
  const isFinal = isTerminal(record);

  it('is found by one query of the poller, unless it is final', async () => {
    const { records } = createMemoryStore();
    await records.create('id', isFinal ? record : { ...record, dueAt });
    const { overdueSubmitting, dueWaiting, dueOperations, queued, unfinishedByProject } = recordQueries;
    const due = [overdueSubmitting(dueAt), dueWaiting(dueAt), dueOperations(dueAt), queued(record.project)];
    const found = await Promise.all(due.map((query) => records.count(query)));
    expect(found.reduce((sum, count) => sum + count, 0)).toBe(isFinal ? 0 : 1);
    expect(await records.count(unfinishedByProject())).toBe(isFinal ? 0 : 1);
  });

  it('is explained in a table for users', () => {
    const pages = globSync('{README.md,docs/**/*.md}', { cwd: root });
    const rows = pages.filter((page) =>
      readFileSync(join(root, page), 'utf8').includes(`\n| \`${state}\` |`),
    );
    expect(rows).not.toEqual([]);
  });
});

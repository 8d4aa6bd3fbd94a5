import { describe, expect, it } from 'vitest';

import { later, SECOND_MS } from '../../shared/clock.ts';
import { isFailing, noteFailure, noteSuccess } from '../../shared/polling/project-failures.ts';
import { createHarness } from '../harness.ts';

const project = 'demo-test';

/** A run of 240 s, and failures in it that take this long each. */
function begin() {
  const { clock, config } = createHarness({ environment: { POLL_BUDGET_SECONDS: '240' } });
  const run = { failures: new Map(), clock, config };
  const fail = (times: number, tookMs: number, purpose: 'due' | 'feed' = 'due') => {
    for (let n = 0; n < times; n += 1) {
      noteFailure(run, project, purpose, later(clock.now(), -tookMs));
    }
  };
  return { run, fail };
}

describe('a project', () => {
  it.each([
    ['due', 50],
    ['feed', 20],
  ] as const)(
    'is failing after quick failures in a row, which may be their records’ own: %s, %i',
    (purpose, count) => {
      const { run, fail } = begin();
      fail(count - 1, 10, purpose);
      expect(isFailing(run, project, purpose)).toBe(false);
      fail(1, 10, purpose);
      expect(isFailing(run, project, purpose)).toBe(true);
      expect(isFailing(run, 'another-project', purpose)).toBe(false);
    },
  );

  it('is failing as soon as its failures have taken a quarter of the run', () => {
    const { run, fail } = begin();
    fail(1, 30 * SECOND_MS);
    expect(isFailing(run, project, 'due')).toBe(false);
    fail(1, 30 * SECOND_MS);
    expect(isFailing(run, project, 'due')).toBe(true);
  });

  it('whose due records fail still gets its queue fed', () => {
    const { run, fail } = begin();
    fail(100, 30 * SECOND_MS, 'due');
    expect(isFailing(run, project, 'feed')).toBe(false);
  });

  it('is not failing any longer after a success', () => {
    const { run, fail } = begin();
    fail(100, 10);
    noteSuccess(run, project, 'feed');
    expect(isFailing(run, project, 'due')).toBe(true);
    noteSuccess(run, project, 'due');
    expect(isFailing(run, project, 'due')).toBe(false);
  });
});

import { describe, expect, it, vi } from 'vitest';

import { isolationOf, MOST_POLLS, type Trouble, troubles } from './isolation.ts';

vi.setConfig({ testTimeout: 120_000 });

/** `npm run bench -- isolation` has them in full size. */
const smaller: readonly Trouble[] = [
  { name: '30 × 500', poison: { jobs: 30, status: 500 } },
  ...troubles.filter(({ poison }) => poison === undefined || poison.jobs < 20),
];

describe.each(smaller)("$name: after the gate's time", (trouble) => {
  it('the first good job of the same project is sent within two polls, of another one in the next', async () => {
    const { same, other } = await isolationOf(trouble);
    expect(same.polls).toBeLessThanOrEqual(MOST_POLLS.same);
    expect(other.polls).toBeLessThanOrEqual(MOST_POLLS.other);
  });
});

import { describe, expect, it } from 'vitest';

import { batchId } from '../../shared/message/job-schema.ts';

describe('a batchId', () => {
  it.each(['.', '..', '__x__', '____', 'a/b', '', 'x'.repeat(130)])('is not %j', (id) => {
    expect(batchId.safeParse(id).success).toBe(false);
  });

  it.each(['...', '__x', 'x__', 'a.b_c@2026-11-23', 'x'.repeat(129)])('can be %j', (id) => {
    expect(batchId.safeParse(id).success).toBe(true);
  });
});

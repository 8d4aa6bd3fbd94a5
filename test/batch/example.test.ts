import { readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { plan } from '../../shared/batch/plan.ts';
import { createHarness } from '../harness.ts';

describe('the example manifest', () => {
  it('is valid, and has a run for each minute', async () => {
    const file = new URL('../../infra/local/examples/annual-timelapses-manifest.json', import.meta.url);
    const { services } = createHarness();
    const planned = await plan(
      services,
      JSON.parse(readFileSync(file, 'utf8')),
      new Date('2026-11-23T06:00:00Z'),
    );
    expect(planned).toMatchObject({
      plan: { batchId: 'annual-timelapses@2026-11-23-06-00', counts: { new: 6, conflict: 0 } },
    });
  });
});

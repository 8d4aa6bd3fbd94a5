import { describe, expect, it } from 'vitest';

import { later, SECOND_MS } from '../../shared/clock.ts';
import type { Operation } from '../../shared/earth-engine/api.ts';
import { marked } from '../../shared/submission/listing.ts';
import { createListings } from '../../shared/submission/listings.ts';
import { createHarness } from '../harness.ts';
import { operationIn, recordId, source } from '../record/samples.ts';

/** A harness whose list has these pages. */
function listed(...pages: readonly (readonly Operation[])[]) {
  const harness = createHarness();
  let calls = 0;
  const listings = createListings({
    ...harness.services,
    earthEngine: {
      ...harness.services.earthEngine,
      listOperations: async (_project, pageToken) => {
        calls += 1;
        const page = Number(pageToken ?? 0);
        const nextPageToken = page + 1 < pages.length ? String(page + 1) : undefined;
        return { operations: pages[page] ?? [], nextPageToken };
      },
    },
  });
  return { listings, now: harness.clock.now(), calls: () => calls };
}

describe('a marker', () => {
  it('belongs to a video export', () => {
    expect(marked(operationIn('RUNNING'))).toMatchObject({ recordId, requestId: recordId });
  });

  it('of another kind of task is a copy', () => {
    expect(marked(operationIn('RUNNING', { type: 'EXPORT_IMAGE' }))).toBeUndefined();
  });

  it('counts if Earth Engine omits the kind of task', () => {
    expect(marked(operationIn('RUNNING', { type: undefined }))).toMatchObject({ recordId });
  });
});

describe('a listing', () => {
  const last = operationIn('RUNNING', { description: `last_${source.requestId}` });

  it('is complete after its last page', async () => {
    const { listings, now, calls } = listed([], [], [last]);
    const listing = listings.since('demo-test', now);
    await listing.read(() => false);
    expect(listing).toMatchObject({ pages: 3, endedAt: now });
    expect(listing.operations.get(recordId)).toHaveLength(1);
    expect(calls()).toBe(3);
  });

  it('is shared by those for whom it is young enough, and read again for others', async () => {
    const { listings, now, calls } = listed([last]);
    const first = listings.since('demo-test', now);
    await first.read(() => false);
    expect(listings.since('demo-test', later(now, -SECOND_MS))).toBe(first);
    await listings.since('demo-test', later(now, SECOND_MS)).read(() => false);
    expect(calls()).toBe(2);
  });
});

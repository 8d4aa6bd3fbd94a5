import { describe, expect, it } from 'vitest';

import { DAY_MS } from '../../shared/clock.ts';
import { restrictedSince } from '../../shared/record/quota.ts';
import { isReadable } from '../../shared/store/store.ts';
import { createQuotaWatch } from '../../shared/submission/quota-watch.ts';
import { createHarness, type Harness, smallJob } from '../harness.ts';

const PROJECT = 'demo-test';

async function statusOf(harness: Harness) {
  const found = await harness.store.projects.get(PROJECT);
  return found && isReadable(found) ? found.value : undefined;
}

const job = (jobKey: string) => ({ data: smallJob({ jobKey }) });

const events = ({ publisher }: Harness) =>
  publisher.published
    .filter(({ message }) => message.attributes['kind'] === 'PROJECT')
    .map(({ topic, message }) => ({
      topic,
      attributes: message.attributes,
      data: JSON.parse(Buffer.from(message.data).toString()) as object,
    }));

describe("a project's quota status", () => {
  it('is stored, logged, and published once for each change, however many instances see it', async () => {
    const harness = createHarness();
    const other = harness.instance();
    await harness.submit(job('a'));
    expect(await statusOf(harness)).toBeUndefined();
    harness.simulator.set({ quotaStatus: 'parallelism_restricted=true' });
    await Promise.all([harness.submit(job('b')), other.submit(job('c'))]);
    await harness.poll();
    const at = harness.clock.now();
    expect(restrictedSince((await statusOf(harness)) ?? {}, at)).toEqual(at);
    const lines = () => harness.logged.filter(({ event }) => event === 'project.parallelism');
    expect(lines()).toMatchObject([{ severity: 'WARNING', project: PROJECT, restricted: true }]);
    expect(events(harness)).toEqual([
      {
        topic: 'video-export-events',
        attributes: {
          eventId: `${PROJECT}:${at.toISOString()}:RESTRICTED`,
          kind: 'PROJECT',
          project: PROJECT,
          state: 'RESTRICTED',
        },
        data: { project: PROJECT, state: 'RESTRICTED', at: at.toISOString() },
      },
    ]);

    harness.clock.advance(60_000);
    harness.simulator.set({ quotaStatus: 'parallelism_restricted=false' });
    await harness.poll();
    await harness.poll();
    expect(await statusOf(harness)).toEqual({ closures: 0, updatedAt: harness.clock.now() });
    expect(lines()).toHaveLength(2);
    expect(events(harness).map(({ attributes }) => attributes['state'])).toEqual([
      'RESTRICTED',
      'UNRESTRICTED',
    ]);
  });

  it('is published later if the topic does not answer', async () => {
    const harness = createHarness();
    harness.simulator.set({ quotaStatus: 'parallelism_restricted=true' });
    harness.publisher.failing = true;
    await harness.submit(job('a'));
    expect(await statusOf(harness)).toMatchObject({ owesEvent: { state: 'RESTRICTED' } });
    harness.publisher.failing = false;
    await harness.submit(job('b'));
    expect(events(harness)).toHaveLength(1);
    expect(await statusOf(harness)).not.toHaveProperty('owesEvent');
  });

  it('is published by another process if the first one crashed', async () => {
    const harness = createHarness();
    const { services } = harness;
    harness.publisher.failing = true;
    createQuotaWatch(services).quotaStatus(PROJECT, true);
    await new Promise(setImmediate);
    harness.publisher.failing = false;
    createQuotaWatch(services).quotaStatus(PROJECT, true);
    await new Promise(setImmediate);
    expect(events(harness)).toHaveLength(1);
  });

  it('does not outlive its month, and is noted again in the next one', async () => {
    const harness = createHarness();
    harness.simulator.set({ quotaStatus: 'parallelism_restricted=true', runMs: [40 * DAY_MS, 40 * DAY_MS] });
    await harness.submit(job('a'));
    await harness.poll();
    const stored = (await statusOf(harness)) ?? {};
    // 08:00 UTC is midnight in Pacific time.
    expect(restrictedSince(stored, new Date('2026-12-01T07:59:59Z'))).toBeDefined();
    expect(restrictedSince(stored, new Date('2026-12-01T08:00:00Z'))).toBeUndefined();
    harness.clock.advance(9 * DAY_MS);
    await harness.poll();
    expect(restrictedSince((await statusOf(harness)) ?? {}, harness.clock.now())).toEqual(
      harness.clock.now(),
    );
    expect(events(harness)).toHaveLength(2);
  });
});

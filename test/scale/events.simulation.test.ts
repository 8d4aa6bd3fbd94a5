import { describe, expect, it, vi } from 'vitest';

import type { OutgoingMessage, Publisher, PublishOutcome } from '../../shared/publisher.ts';
import type { Instance, TestClock } from '../harness.ts';
import { createWatched, submitMany, type Watched } from './watched.ts';

vi.setConfig({ testTimeout: 60_000 });

const MINUTE_MS = 60_000;

interface Topic extends Publisher {
  /** How many messages each call carried. */
  readonly calls: number[];
  readonly accepted: OutgoingMessage[];
  mood: 'FINE' | 'FAILING' | 'SILENT';
}

/** How long shared/pubsub/publisher.ts pauses a topic after a failure. */
const PAUSE_MS = 5000;

/**
 * The event topic as shared/pubsub/publisher.ts presents it: if the topic is silent, a call fails after its timeout,
 * and the calls after it fail at once for a while. Concurrent calls wait concurrently.
 */
function createTopic(clock: TestClock): Topic {
  let pausedUntil = 0;
  const topic: Topic = {
    calls: [],
    accepted: [],
    mood: 'FINE',
    publish: async (_topic, messages, timeoutMs): Promise<PublishOutcome[]> => {
      topic.calls.push(messages.length);
      if (topic.mood === 'FINE') {
        topic.accepted.push(...messages);
        return messages.map(() => ({ messageId: 'accepted' }));
      }
      const isPaused = clock.now().getTime() < pausedUntil;
      if (topic.mood === 'SILENT' && !isPaused) {
        const until = clock.now().getTime() + timeoutMs;
        await new Promise((resolve) => setImmediate(resolve));
        clock.advance(Math.max(0, until - clock.now().getTime()));
        pausedUntil = clock.now().getTime() + PAUSE_MS;
      }
      return messages.map(() => ({ error: new Error('the topic does not answer') }));
    },
    close: async () => {},
  };
  return topic;
}

function withTopic(harness: Watched): { topic: Topic; instance: Instance } {
  const topic = createTopic(harness.clock);
  return { topic, instance: harness.instance((services) => ({ ...services, publisher: topic })) };
}

function endAll(harness: Watched): void {
  for (const { name } of harness.simulator.operations()) {
    harness.simulator.endOperation(name, { state: 'SUCCEEDED' });
  }
}

const idsOf = (messages: readonly OutgoingMessage[]) =>
  new Set(messages.map(({ attributes }) => attributes['eventId']));

async function countPending(harness: Watched): Promise<number> {
  return (await harness.records()).filter(({ value }) => value.unpublishedEvents !== undefined).length;
}

describe.each(['FAILING', 'SILENT'] as const)('an event topic that is %s', (mood) => {
  it('delays neither records nor the run', async () => {
    const harness = createWatched();
    const { topic, instance } = withTopic(harness);
    const count = 400;
    await submitMany(instance, count);
    await instance.poll();
    endAll(harness);
    topic.mood = mood;
    topic.calls.length = 0;
    harness.clock.advance(MINUTE_MS);
    const summary = await instance.poll();
    expect(summary).toMatchObject({ changed: count, failed: 0 });
    // One timeout of two seconds, not one for each record.
    expect(summary.seconds).toBeLessThan(10);
    expect((await harness.records()).every(({ value }) => value.state === 'SUCCEEDED')).toBe(true);
    expect(await countPending(harness)).toBe(count);
  });

  it('gets the pending events once it answers, each event once, and many in a call', async () => {
    const harness = createWatched();
    const { topic, instance } = withTopic(harness);
    topic.mood = mood;
    const ids = await submitMany(instance, 250);
    await instance.poll();
    endAll(harness);
    harness.clock.advance(MINUTE_MS);
    await instance.poll();
    expect(await countPending(harness)).toBe(250);

    topic.mood = 'FINE';
    topic.calls.length = 0;
    harness.clock.advance(MINUTE_MS);
    await instance.poll();
    expect(await countPending(harness)).toBe(0);
    expect(topic.calls.length).toBeLessThanOrEqual(3);
    // PENDING and SUCCEEDED of each.
    expect(topic.accepted).toHaveLength(2 * ids.length);
    expect(idsOf(topic.accepted).size).toBe(2 * ids.length);
  });

  it('does not prevent a job from being sent', async () => {
    const harness = createWatched();
    const { topic, instance } = withTopic(harness);
    topic.mood = mood;
    await submitMany(instance, 10);
    expect(harness.simulator.operations()).toHaveLength(10);
    expect(await countPending(harness)).toBe(10);
  });
});

describe('700 changes in one sweep', () => {
  it('are published, each once, and none stays pending', async () => {
    const harness = createWatched();
    const { topic, instance } = withTopic(harness);
    await submitMany(instance, 700);
    await instance.poll();
    endAll(harness);
    topic.accepted.length = 0;
    harness.clock.advance(MINUTE_MS);
    expect(await instance.poll()).toMatchObject({ changed: 700, failed: 0 });
    expect(idsOf(topic.accepted).size).toBe(700);
    expect(topic.accepted).toHaveLength(700);
    expect(await countPending(harness)).toBe(0);
  });
});

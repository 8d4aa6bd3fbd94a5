import { describe, expect, it } from 'vitest';

import { ServiceError } from '../../shared/errors.ts';
import { eventMessage } from '../../shared/record/events.ts';
import type { OutgoingMessage, PublishOutcome } from '../../shared/publisher.ts';
import { createHarness, type Harness } from '../harness.ts';
import { sample } from './samples.ts';

const base32 = 'abcdefghijklmnopqrstuvwxyz234567';
const idOf = (n: number) => `ve1-${base32[Math.floor(n / 32)] ?? ''}${base32[n % 32] ?? ''}${'a'.repeat(30)}`;
const event = { kind: 'STATE', state: 'FAILED', revision: 2, at: new Date() } as const;

/** Records that owe an event each. */
async function owe({ store }: Harness, count: number): Promise<void> {
  for (let n = 0; n < count; n += 1) {
    const record = sample('FAILED', { requestId: idOf(n), jobKey: `job ${n}`, unpublishedEvents: [event] });
    await store.records.create(idOf(n), record);
  }
}

/** A poller whose event topic answers so. */
function pollerWith(harness: Harness, answer: (message: OutgoingMessage) => PublishOutcome) {
  const told: string[] = [];
  let requests = 0;
  const poller = harness.instance((services) => ({
    ...services,
    publisher: {
      ...harness.publisher,
      publish: (_topic, messages) => {
        requests += 1;
        return Promise.resolve(
          messages.map((message) => {
            const outcome = answer(message);
            if ('messageId' in outcome) {
              told.push(message.attributes['recordId'] ?? '');
            }
            return outcome;
          }),
        );
      },
    },
  }));
  return { poller, told, requests: () => requests };
}

describe('an event', () => {
  it('has no attribute that Pub/Sub would refuse: a long job key is in its data alone', () => {
    const jobKey = '日'.repeat(400);
    const { attributes, data } = eventMessage(idOf(1), sample('FAILED', { jobKey }), event);
    expect(attributes).not.toHaveProperty('jobKey');
    expect(attributes).toMatchObject({ recordId: idOf(1), kind: 'STATE' });
    expect(JSON.parse(new TextDecoder().decode(data))).toMatchObject({ jobKey });
  });

  it('keeps a job key of just 1,024 bytes as an attribute', () => {
    const jobKey = 'é'.repeat(512);
    expect(eventMessage(idOf(1), sample('FAILED', { jobKey }), event).attributes).toMatchObject({ jobKey });
  });
});

describe('events that are owed', () => {
  it('are told though a whole page before them is refused', async () => {
    const harness = createHarness();
    await owe(harness, 700);
    const last = idOf(699);
    const refused: PublishOutcome = { error: new ServiceError('PUBLISH_FAILED', 'a bad message') };
    const { poller, told } = pollerWith(harness, ({ attributes }) =>
      attributes['recordId'] === last ? { messageId: '1' } : refused,
    );
    await poller.poll();
    expect(told).toEqual([last]);
    expect(await harness.record(last)).not.toHaveProperty('unpublishedEvents');
  });

  it('are left for the next run while the topic takes nothing', async () => {
    const harness = createHarness();
    await owe(harness, 700);
    const down: PublishOutcome = { error: new ServiceError('PUBLISH_TIMEOUT', 'no answer') };
    const { poller, requests } = pollerWith(harness, () => down);
    await poller.poll();
    expect(requests()).toBe(1);
  });
});

import { describe, expect, it } from 'vitest';

import { ServiceError } from '../../shared/errors.ts';
import type { ExportRecord } from '../../shared/model/record.ts';
import { eventMessage, isOwnDecision } from '../../shared/record/events.ts';
import type { OutgoingMessage, PublishOutcome } from '../../shared/publisher.ts';
import { createHarness, type Harness } from '../harness.ts';
import { sample } from './samples.ts';

const base32 = 'abcdefghijklmnopqrstuvwxyz234567';
const idOf = (n: number) => `ve1-${base32[Math.floor(n / 32)] ?? ''}${base32[n % 32] ?? ''}${'a'.repeat(30)}`;
const event = { kind: 'STATE', state: 'FAILED', revision: 2, at: new Date() } as const;

/** Creates records with a pending event each. */
async function createPending({ store }: Harness, count: number): Promise<void> {
  for (let n = 0; n < count; n += 1) {
    const record = sample('FAILED', { requestId: idOf(n), jobKey: `job ${n}`, unpublishedEvents: [event] });
    await store.records.create(idOf(n), record);
  }
}

/** A poller whose event topic gives these answers. */
function pollerWith(harness: Harness, answer: (message: OutgoingMessage) => PublishOutcome) {
  const published: string[] = [];
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
              published.push(message.attributes['recordId'] ?? '');
            }
            return outcome;
          }),
        );
      },
    },
  }));
  return { poller, published, requests: () => requests };
}

describe('an event', () => {
  it('has no attribute that Pub/Sub would reject: a long job key is only in the data', () => {
    const jobKey = '日'.repeat(400);
    const { attributes, data } = eventMessage(idOf(1), sample('FAILED', { jobKey }), event);
    expect(attributes).not.toHaveProperty('jobKey');
    expect(attributes).toMatchObject({ recordId: idOf(1), kind: 'STATE' });
    expect(JSON.parse(new TextDecoder().decode(data))).toMatchObject({ jobKey });
  });

  it('has an id of its own, by the record, its revision, and the state', () => {
    const { attributes } = eventMessage(idOf(1), sample('FAILED'), event);
    expect(attributes).toMatchObject({ eventId: `${idOf(1)}:2:FAILED` });
  });

  it.each<[ExportRecord, boolean]>([
    [sample('WAITING'), true],
    [sample('REJECTED'), true],
    [sample('CANCELLED', { operation: undefined }), true],
    [sample('CANCELLED'), false],
    [sample('PENDING'), false],
    [sample('SUCCEEDED'), false],
    [sample('LOST'), false],
  ])('is published after the write only if this service decided it: %#', (record, isOwn) => {
    expect(isOwnDecision(record)).toBe(isOwn);
  });

  it('keeps a job key of exactly 1,024 bytes as an attribute', () => {
    const jobKey = 'é'.repeat(512);
    expect(eventMessage(idOf(1), sample('FAILED', { jobKey }), event).attributes).toMatchObject({ jobKey });
  });
});

describe('pending events', () => {
  it('are published even if a whole page before them is rejected', async () => {
    const harness = createHarness();
    await createPending(harness, 700);
    const last = idOf(699);
    const rejected: PublishOutcome = { error: new ServiceError('PUBLISH_FAILED', 'a bad message') };
    const { poller, published } = pollerWith(harness, ({ attributes }) =>
      attributes['recordId'] === last ? { messageId: '1' } : rejected,
    );
    await poller.poll();
    expect(published).toEqual([last]);
    expect(await harness.record(last)).not.toHaveProperty('unpublishedEvents');
  });

  it('wait for the next run while the topic accepts nothing', async () => {
    const harness = createHarness();
    await createPending(harness, 700);
    const down: PublishOutcome = { error: new ServiceError('PUBLISH_TIMEOUT', 'no answer') };
    const { poller, requests } = pollerWith(harness, () => down);
    await poller.poll();
    expect(requests()).toBe(1);
  });
});

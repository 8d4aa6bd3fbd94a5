import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';

import { PubSub, type Message } from '@google-cloud/pubsub';
import { afterAll, afterEach, describe, expect, it } from 'vitest';

import { later, systemClock, type Clock } from '../../shared/clock.ts';
import type { OutgoingMessage, Publisher, PublishOutcome } from '../../shared/publisher.ts';
import { createPublisher } from '../../shared/pubsub/publisher.ts';

const projectId = 'demo-pubsub';
const outside = new PubSub({ projectId });
const publishers: Publisher[] = [];
afterEach(async () => {
  await Promise.all(publishers.splice(0).map((publisher) => publisher.close()));
});
afterAll(() => outside.close());

/** Sleeps in real time; `forward` changes only the time of day. */
function movableClock() {
  let offsetMs = 0;
  const clock: Clock = {
    now: () => later(new Date(), offsetMs),
    sleep: (ms, signal) => systemClock.sleep(ms, signal),
  };
  return { clock, forward: (ms: number) => (offsetMs += ms) };
}

function open(clock: Clock = systemClock, emulatorHost?: string): Publisher {
  const publisher = createPublisher({ projectId, emulatorHost, clock });
  publishers.push(publisher);
  return publisher;
}

const message = (text: string | Uint8Array, attributes: Record<string, string> = {}): OutgoingMessage => ({
  data: typeof text === 'string' ? new TextEncoder().encode(text) : text,
  attributes,
});
const codes = (outcomes: readonly PublishOutcome[]) =>
  outcomes.map((outcome) => ('error' in outcome ? (outcome.error as { code?: string }).code : 'PUBLISHED'));

describe('a Pub/Sub publisher', () => {
  it('publishes bytes and attributes, and returns the message ids in order', async () => {
    const [topic] = await outside.createTopic('order');
    const [subscription] = await topic.createSubscription('order');
    const outcomes = await open().publish(
      'order',
      [message('first', { recordId: 'a' }), message(new Uint8Array([0, 255]).subarray(1), { n: '2' })],
      5000,
    );
    const received = new Map<string, { data: Buffer; attributes: unknown }>();
    await new Promise<void>((resolve, reject) => {
      subscription.on('error', reject).on('message', (one: Message) => {
        received.set(one.id, { data: one.data, attributes: { ...one.attributes } });
        one.ack();
        if (received.size === 2) {
          resolve();
        }
      });
    });
    await subscription.close();
    const ids = outcomes.map((outcome) => ('messageId' in outcome ? outcome.messageId : ''));
    expect(received.get(ids[0] ?? '')).toEqual({ data: Buffer.from('first'), attributes: { recordId: 'a' } });
    expect(received.get(ids[1] ?? '')).toEqual({ data: Buffer.from([255]), attributes: { n: '2' } });
  });

  it('publishes more messages than fit into one request, and messages of 8 MB', async () => {
    await outside.createTopic('many');
    const publisher = open();
    const many = await publisher.publish(
      'many',
      Array.from({ length: 4500 }, (_, n) => message(`${n}`)),
      30_000,
    );
    expect(new Set(codes(many))).toEqual(new Set(['PUBLISHED']));
    expect(new Set(many.map((outcome) => 'messageId' in outcome && outcome.messageId)).size).toBe(4500);
    const large = Array.from({ length: 3 }, () => message(new Uint8Array(8_000_000)));
    expect(codes(await publisher.publish('many', large, 30_000))).toEqual(large.map(() => 'PUBLISHED'));
    expect(await publisher.publish('many', [], 1)).toEqual([]);
  });

  it('reports a missing topic, and does not retry it at once', async () => {
    const { clock, forward } = movableClock();
    const publisher = open(clock);
    const failed = await publisher.publish('missing', [message('a'), message('b')], 5000);
    expect(codes(failed)).toEqual(['PUBLISH_FAILED', 'PUBLISH_FAILED']);
    expect(failed[0]).toMatchObject({
      error: { message: expect.stringContaining('missing'), cause: { code: 5 } },
    });

    await outside.createTopic('missing');
    expect(codes(await publisher.publish('missing', [message('a')], 5000))).toEqual(['PUBLISH_PAUSED']);
    await outside.createTopic('other');
    expect(codes(await publisher.publish('other', [message('a')], 5000))).toEqual(['PUBLISHED']);

    forward(5000);
    const [first, second] = await Promise.all([
      publisher.publish('missing', [message('a')], 5000),
      publisher.publish('missing', [message('b')], 5000),
    ]);
    expect([...codes(first), ...codes(second)]).toEqual(['PUBLISHED', 'PUBLISH_PAUSED']);
    expect(codes(await publisher.publish('missing', [message('c')], 5000))).toEqual(['PUBLISHED']);
  });

  it('does not pause the topic for an invalid message', async () => {
    await outside.createTopic('strict');
    const publisher = open();
    const invalid = message('');
    expect(codes(await publisher.publish('strict', [invalid], 5000))).toEqual(['PUBLISH_FAILED']);
    expect(codes(await publisher.publish('strict', [message('a')], 5000))).toEqual(['PUBLISHED']);
  });

  it('times out once if Pub/Sub does not respond, and closes', async () => {
    const sockets: Socket[] = [];
    const silent = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const publisher = open(systemClock, `127.0.0.1:${port}`);
    expect(codes(await publisher.publish('silent', [message('a')], 100))).toEqual(['PUBLISH_TIMEOUT']);
    expect(codes(await publisher.publish('silent', [message('a')], 60_000))).toEqual(['PUBLISH_PAUSED']);
    await publisher.close();
    for (const socket of sockets) {
      socket.destroy();
    }
    silent.close();
  });

  it('publishes the messages that share a request with an invalid one, and only the latter fails', async () => {
    await outside.createTopic('mixed');
    const publisher = open();
    // Both calls share one request, since they are made within the batching time.
    const [bad, good] = await Promise.all([
      publisher.publish('mixed', [message('')], 5000),
      publisher.publish('mixed', [message('good'), message('too')], 5000),
    ]);
    expect(codes(bad)).toEqual(['PUBLISH_FAILED']);
    expect(codes(good)).toEqual(['PUBLISHED', 'PUBLISHED']);
    expect(codes(await publisher.publish('mixed', [message('next')], 5000))).toEqual(['PUBLISHED']);
  });
});

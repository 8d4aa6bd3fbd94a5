import { describe, expect, it } from 'vitest';

import { createBroker } from '../../../../infra/local/embedded/broker.ts';
import type { Envelope } from '../../../../shared/message/envelope.ts';
import { createTestClock } from '../../../harness.ts';

const message = (text: string) => ({ data: Buffer.from(text), attributes: { name: text } });
const textOf = ({ data }: Envelope) => Buffer.from(data).toString();

function open() {
  const stopping = new AbortController();
  const clock = createTestClock();
  const broker = createBroker(['jobs', 'dead'], { clock, stopping: stopping.signal });
  return { broker, clock, stopping };
}

describe('the broker', () => {
  it('delivers a message to every subscription, with what an envelope has', async () => {
    const { broker, clock } = open();
    const received: Envelope[] = [];
    for (const name of ['a', 'b']) {
      broker.subscribe({ name, topic: 'jobs', handle: async (envelope) => received.push(envelope) });
    }
    const [outcome] = await broker.publish('jobs', [message('x')], 0);
    await broker.stop();
    expect(received.map(({ subscription }) => subscription)).toEqual(['a', 'b']);
    expect(received[0]).toMatchObject({
      ...outcome,
      publishTime: clock.now(),
      attributes: { name: 'x' },
      deliveryAttempt: 1,
      problem: undefined,
    });
  });

  it('delivers again after a second, until the handler succeeds', async () => {
    const { broker, clock } = open();
    const started = clock.now().getTime();
    const attempts: (number | undefined)[] = [];
    broker.subscribe({
      name: 'a',
      topic: 'jobs',
      handle: async ({ deliveryAttempt }) => {
        attempts.push(deliveryAttempt);
        if (attempts.length < 3) {
          throw new Error('not now');
        }
      },
    });
    await broker.publish('jobs', [message('x')], 0);
    await broker.stop();
    expect(attempts).toEqual([1, 2, 3]);
    expect(clock.now().getTime() - started).toBe(2000);
  });

  it('forwards a message that is never handled to the dead letters', async () => {
    const { broker } = open();
    const dead: Envelope[] = [];
    broker.subscribe({ name: 'kept', topic: 'dead', handle: async (envelope) => dead.push(envelope) });
    broker.subscribe({
      name: 'jobs-push',
      topic: 'jobs',
      deadLetters: 'dead',
      handle: () => Promise.reject(new Error('never')),
    });
    await broker.publish('jobs', [message('x')], 0);
    await broker.stop();
    await broker.stop();
    expect(dead.map(textOf)).toEqual(['x']);
    expect(dead[0]?.attributes).toEqual({
      name: 'x',
      CloudPubSubDeadLetterSourceSubscription: 'jobs-push',
      CloudPubSubDeadLetterSourceDeliveryCount: '20',
    });
  });

  it('runs ten handlers at the same time, and the others in order', async () => {
    const { broker } = open();
    const gate = Promise.withResolvers<void>();
    const started: string[] = [];
    broker.subscribe({
      name: 'a',
      topic: 'jobs',
      handle: async (envelope) => {
        started.push(textOf(envelope));
        await gate.promise;
      },
    });
    const names = Array.from({ length: 25 }, (_, n) => String(n));
    await broker.publish('jobs', names.map(message), 0);
    expect(started).toEqual(names.slice(0, 10));
    gate.resolve();
    while (started.length < names.length) {
      await broker.stop();
    }
    expect(started).toEqual(names);
  });

  it('stops delivering when the process ends', async () => {
    const { broker, stopping } = open();
    let attempts = 0;
    broker.subscribe({
      name: 'a',
      topic: 'jobs',
      handle: async () => {
        attempts += 1;
        stopping.abort();
        throw new Error('not now');
      },
    });
    await broker.publish('jobs', [message('x'), message('y')], 0);
    await broker.stop();
    expect(attempts).toBe(1);
  });
});

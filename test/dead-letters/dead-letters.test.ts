import { readFileSync } from 'node:fs';

import { beforeEach, describe, expect, it } from 'vitest';

import { later } from '../../shared/clock.ts';
import { readConfig } from '../../shared/config.ts';
import { silentLog } from '../../shared/log.ts';
import { recordDeadLetter } from '../../shared/dead-letters/record-dead-letter.ts';
import { type Envelope, parseEnvelope } from '../../shared/message/envelope.ts';
import { parseJobMessage } from '../../shared/message/job-message.ts';
import { type KeptMessage, type KeptMessages } from '../../shared/pubsub/kept-messages.ts';
import { replayKeptMessages, type ReplayOptions } from '../../shared/dead-letters/replay.ts';
import { rejectMessage } from '../../shared/message/rejection.ts';
import type { OutgoingMessage, Publisher, PublishOutcome } from '../../shared/publisher.ts';
import { policyOf } from '../../shared/record/policy.ts';
import { claim } from '../../shared/record/new-records.ts';
import { createMemoryStore, type MemoryStore } from '../../infra/local/memory/store.ts';
import { isReadable } from '../../shared/store/store.ts';

const now = new Date('2026-11-23T12:00:00.000Z');
const config = readConfig({ GOOGLE_CLOUD_PROJECT: 'demo-test' });
const request: unknown = JSON.parse(
  readFileSync(new URL('../fixtures/requests/modis-ndvi-africa.json', import.meta.url), 'utf8'),
);
const jobMessage = { jobKey: 'africa/2020', project: 'demo-test', batchId: 'weekly@1', request };
const jobData = Buffer.from(JSON.stringify(jobMessage));

const forwarded = {
  CloudPubSubDeadLetterSourceSubscription: 'video-export-jobs-push',
  CloudPubSubDeadLetterSourceDeliveryCount: '50',
  CloudPubSubDeadLetterSourceTopicPublishTime: '2026-11-22T09:00:00.000Z',
};

let store: MemoryStore;
let published: { topic: string; message: OutgoingMessage }[];
let publishOutcome: PublishOutcome;

const publisher: Publisher = {
  publish(topic, messages) {
    for (const message of messages) {
      published.push({ topic, message });
    }
    return Promise.resolve(messages.map(() => publishOutcome));
  },
  close: () => Promise.resolve(),
};
const clock = { now: () => now, sleep: () => Promise.resolve() };
const stopping = new AbortController().signal;
const services = () => ({
  store,
  publisher,
  config,
  policy: policyOf(config),
  clock,
  log: silentLog,
  stopping,
});

beforeEach(() => {
  store = createMemoryStore();
  published = [];
  publishOutcome = { messageId: 'replayed-1' };
});

function delivered(data: Uint8Array, attributes: Record<string, string>, messageId = 'dead-1'): Envelope {
  const envelope = parseEnvelope({
    headers: {},
    body: {
      message: {
        data: Buffer.from(data).toString('base64'),
        attributes,
        messageId,
        publishTime: '2026-11-23T11:00:00.000Z',
      },
      subscription: 'projects/demo-test/subscriptions/video-export-dead-letters-push',
      deliveryAttempt: 1,
    },
  });
  if (!envelope) {
    throw new Error('The delivery is not an envelope');
  }
  return envelope;
}

function theJob() {
  const reading = parseJobMessage(jobMessage, {
    defaultProject: 'demo-test',
    allowedProjects: ['demo-test'],
    allowedDestinations: ['*'],
  });
  if (!('job' in reading)) {
    throw new Error(`The fixture is not a job: ${JSON.stringify(reading.issues)}`);
  }
  return reading.job;
}

async function storeItsRecord() {
  const job = theJob();
  const origin = { requestId: job.recordId, description: `x_${job.recordId}`, messageId: 'm-1' };
  await store.records.create(job.recordId, claim(job, origin, 'token', policyOf(config), now));
  return job.recordId;
}

async function rejectedMessage(id: string) {
  const found = await store.rejectedMessages.get(id);
  return found && isReadable(found) ? found.value : undefined;
}

describe('recordDeadLetter', () => {
  it('records a job without a record, with reason, delivery attempts, source, record id and batch', async () => {
    await expect(recordDeadLetter(services(), delivered(jobData, forwarded))).resolves.toEqual({
      outcome: 'RECORDED',
      messageId: 'dead-1',
    });
    expect(await rejectedMessage('dead-1')).toMatchObject({
      reason: 'DEAD_LETTER',
      source: 'recordDeadLetter',
      deliveryAttempt: 50,
      recordId: theJob().recordId,
      batchId: 'weekly@1',
      attributes: forwarded,
      expireAt: new Date('2027-02-21T12:00:00.000Z'),
      issues: [{ path: 'delivery', message: expect.stringMatching(/jobs-push after 50 delivery attempts/) }],
    });
  });

  it('does not publish a dead letter to the dead-letter topic again', async () => {
    await recordDeadLetter(services(), delivered(jobData, forwarded));
    expect(published).toEqual([]);
  });

  it('adds one line to the history of its job, if that has a record, and changes nothing else', async () => {
    const recordId = await storeItsRecord();
    const before = await store.records.get(recordId);
    for (let delivery = 0; delivery < 3; delivery += 1) {
      await expect(recordDeadLetter(services(), delivered(jobData, forwarded))).resolves.toEqual({
        outcome: 'NOTED',
        recordId,
      });
    }
    const after = await store.records.get(recordId);
    if (!before || !after || !isReadable(before) || !isReadable(after)) {
      throw new Error('The record is missing');
    }
    expect(after.value.history.slice(before.value.history.length)).toEqual([
      { state: 'SUBMITTING', at: now, note: expect.stringContaining('dead letter dead-1: was given up by') },
    ]);
    const { history: _after, revision, updatedAt: _updatedAt, ...rest } = after.value;
    expect(revision).toBe(before.value.revision + 1);
    expect(before.value).toMatchObject(rest);
    expect(await rejectedMessage('dead-1')).toBeUndefined();
  });

  it('ignores the original of a message that a function has rejected and recorded', async () => {
    const wrong = delivered(Buffer.from('{"request":1}'), {}, 'job-7');
    await rejectMessage(services(), wrong, { reason: 'INVALID_JOB', issues: [], source: 'submitExport' });
    const original = published[0]?.message;
    expect(original?.attributes).toMatchObject({ rejectedMessageId: 'job-7' });
    const outcome = await recordDeadLetter(
      services(),
      delivered(original?.data ?? new Uint8Array(), original?.attributes ?? {}, 'dead-7'),
    );
    expect(outcome).toEqual({ outcome: 'KNOWN', messageId: 'job-7' });
    expect(await rejectedMessage('dead-7')).toBeUndefined();
  });

  it('records a message that only claims to have been rejected', async () => {
    await recordDeadLetter(services(), delivered(jobData, { rejectedMessageId: 'none' }));
    expect(await rejectedMessage('dead-1')).toMatchObject({
      issues: [{ message: expect.stringContaining('published directly') }],
    });
  });

  it.each([
    ['text that is not JSON', Buffer.from('not json')],
    ['bytes that are not UTF-8', Buffer.from([0xff, 0xfe, 0x00])],
    ['no data', Buffer.alloc(0)],
    ['another kind of JSON', Buffer.from('{"batchId":"weekly","job":{}}')],
    ['null', Buffer.from('null')],
  ])('records a dead letter with %s', async (_what, data) => {
    await recordDeadLetter(services(), delivered(data, forwarded));
    expect(await rejectedMessage('dead-1')).toMatchObject({ reason: 'DEAD_LETTER', deliveryAttempt: 50 });
  });

  it.each([['a/b'], [''], ['.'], ['__x__'], ['\ud800'], ['x'.repeat(2000)]])(
    'records a message that claims to have been rejected under an id that no document can have: %j',
    async (rejectedMessageId) => {
      await expect(recordDeadLetter(services(), delivered(jobData, { rejectedMessageId }))).resolves.toEqual({
        outcome: 'RECORDED',
        messageId: 'dead-1',
      });
    },
  );

  it('limits the length of the history line, whatever the attributes', async () => {
    const recordId = await storeItsRecord();
    const endless = '\ud800'.repeat(2_000_000);
    const attributes = {
      CloudPubSubDeadLetterSourceSubscription: endless,
      CloudPubSubDeadLetterSourceDeliveryCount: endless,
    };
    await recordDeadLetter(services(), delivered(jobData, attributes));
    const found = await store.records.get(recordId);
    const note = (found && isReadable(found) && found.value.history.at(-1)?.note) || '';
    expect(note).toContain('was given up by');
    expect(note.length).toBeLessThan(700);
    expect(note.isWellFormed()).toBe(true);
  });

  it('fails if Firestore fails, so that the message is redelivered', async () => {
    const down = { get: () => Promise.reject(new Error('unavailable')) };
    const broken = { ...store, records: { ...store.records, ...down } };
    await expect(
      recordDeadLetter({ ...services(), store: broken }, delivered(jobData, forwarded)),
    ).rejects.toThrow('unavailable');
  });
});

interface TestMessage {
  readonly id: string;
  readonly data: Uint8Array;
  readonly attributes: Readonly<Record<string, string>>;
  readonly publishTime?: Date;
}

interface Kept extends KeptMessages {
  readonly left: string[];
  add(message: TestMessage): void;
  /** Ends the acknowledgment deadlines of the messages that are held. */
  endHolds(): void;
}

/** Returns messages that are neither held nor acknowledged, as a pull subscription does. */
function keep(...messages: TestMessage[]): Kept {
  const held = new Set<string>();
  const left = messages.map(({ id }) => id);
  return {
    left,
    add: (message) => {
      messages.push(message);
      left.push(message.id);
    },
    endHolds: () => held.clear(),
    pull(limit) {
      const free = messages.filter(({ id }) => left.includes(id) && !held.has(id)).slice(0, limit);
      return Promise.resolve(
        free.map(({ id, data, attributes, publishTime }): KeptMessage => {
          held.add(id);
          return {
            messageId: id,
            publishTime: publishTime ?? new Date('2026-11-23T11:00:00.000Z'),
            attributes,
            data,
            acknowledge: () => Promise.resolve(void left.splice(left.indexOf(id), 1)),
            release: () => Promise.resolve(void held.delete(id)),
          };
        }),
      );
    },
  };
}

/** What a replay does with each message. */
const replayed = async (kept: Kept, options?: ReplayOptions) =>
  (await replayKeptMessages(services(), kept, options)).messages;

describe('replayKeptMessages', () => {
  it('publishes the whole message to its first topic, without the attributes that dead-lettering added', async () => {
    await recordDeadLetter(services(), delivered(jobData, { ...forwarded, retryOf: 've1-x' }));
    const kept = keep({ id: 'dead-1', data: jobData, attributes: { ...forwarded, retryOf: 've1-x' } });
    await expect(replayed(kept)).resolves.toEqual([
      { messageId: 'dead-1', outcome: 'REPLAYED', topic: 'video-export-jobs', recordId: theJob().recordId },
    ]);
    expect(published).toEqual([
      {
        topic: 'video-export-jobs',
        message: {
          data: jobData,
          attributes: { retryOf: 've1-x', originalPublishTime: '2026-11-22T09:00:00.000Z' },
        },
      },
    ]);
    expect(await rejectedMessage('dead-1')).toMatchObject({ replayedAt: now });
    expect(kept.left).toEqual([]);
  });

  it('keeps the publish time through the envelope, so that a manifest stays the same run', async () => {
    const kept = keep({
      id: 'dead-1',
      data: jobData,
      attributes: {
        ...forwarded,
        CloudPubSubDeadLetterSourceSubscription: 'video-export-batches-push',
      },
    });
    await replayKeptMessages(services(), kept);
    const message = published[0]?.message;
    expect(published[0]?.topic).toBe('video-export-batches');
    const again = delivered(message?.data ?? new Uint8Array(), { ...message?.attributes }, 'replayed-1');
    expect(again.publishTime).toEqual(new Date('2026-11-22T09:00:00.000Z'));
  });

  it('publishes nothing again if a replay crashed between publishing and acknowledging', async () => {
    await recordDeadLetter(services(), delivered(jobData, forwarded));
    const message = { id: 'dead-1', data: jobData, attributes: forwarded };
    await replayKeptMessages(services(), keep(message));
    const again = keep(message);
    await expect(replayed(again)).resolves.toMatchObject([{ outcome: 'REPLAYED_BEFORE' }]);
    expect(published).toHaveLength(1);
    expect(again.left).toEqual([]);
  });

  it('keeps a message that cannot be published', async () => {
    publishOutcome = { error: new Error('unavailable') };
    await recordDeadLetter(services(), delivered(jobData, forwarded));
    const kept = keep({ id: 'dead-1', data: jobData, attributes: forwarded });
    await expect(replayed(kept)).resolves.toMatchObject([{ outcome: 'NOT_PUBLISHED' }]);
    expect(kept.left).toEqual(['dead-1']);
    expect((await rejectedMessage('dead-1'))?.replayedAt).toBeUndefined();
  });

  it('leaves originals of rejected messages, unless their reason is given', async () => {
    const wrong = delivered(Buffer.from('{"request":1}'), {}, 'job-7');
    await rejectMessage(services(), wrong, { reason: 'INVALID_JOB', issues: [], source: 'submitExport' });
    const original = published.pop()?.message;
    const kept = keep({
      id: 'dead-7',
      data: original?.data ?? new Uint8Array(),
      attributes: { ...original?.attributes },
    });
    await expect(replayed(kept)).resolves.toEqual([]);
    expect(kept.left).toEqual(['dead-7']);
    await expect(replayed(kept, { reasons: ['INVALID_JOB'] })).resolves.toEqual([
      { messageId: 'job-7', outcome: 'REPLAYED', topic: 'video-export-jobs' },
    ]);
    expect(published[0]?.message.attributes).toEqual({ originalPublishTime: '2026-11-23T11:00:00.000Z' });
  });

  it('changes nothing in a dry run', async () => {
    const kept = keep({ id: 'dead-1', data: jobData, attributes: forwarded });
    await expect(replayed(kept, { dryRun: true })).resolves.toMatchObject([
      { outcome: 'WOULD_REPLAY', topic: 'video-export-jobs' },
    ]);
    expect([published, kept.left]).toEqual([[], ['dead-1']]);
  });

  it('replays only the given messages, and ends although more are kept than it pulls at once', async () => {
    const messages = Array.from({ length: 25 }, (_, i) => ({
      id: `dead-${i}`,
      data: jobData,
      attributes: forwarded,
    }));
    const kept = keep(...messages);
    const results = await replayed(kept, { messageIds: ['dead-3', 'dead-24'] });
    expect(results.map(({ messageId }) => messageId)).toEqual(['dead-3', 'dead-24']);
    expect(kept.left).toHaveLength(23);
  });

  it('continues after a message that fails', async () => {
    const kept = keep(
      { id: 'dead-1', data: jobData, attributes: { ...forwarded, rejectedMessageId: 'a/b' } },
      { id: 'dead-2', data: jobData, attributes: forwarded },
      { id: 'dead-3', data: jobData, attributes: forwarded },
    );
    const { rejectedMessages } = store;
    const get = (id: string) =>
      id === 'dead-2' ? Promise.reject(new Error('unreadable')) : rejectedMessages.get(id);
    const failing = { ...store, rejectedMessages: { ...rejectedMessages, get } };
    const { messages } = await replayKeptMessages({ ...services(), store: failing }, kept);
    expect(messages).toMatchObject([
      { messageId: 'dead-1', outcome: 'REPLAYED' },
      { messageId: 'dead-2', outcome: 'FAILED' },
      { messageId: 'dead-3', outcome: 'REPLAYED' },
    ]);
    expect(kept.left).toEqual(['dead-2']);
  });

  it('reports that the topic is unknown, and keeps the message', async () => {
    const kept = keep({ id: 'dead-1', data: jobData, attributes: {} });
    await expect(replayed(kept)).resolves.toEqual([{ messageId: 'dead-1', outcome: 'UNKNOWN_SOURCE' }]);
    expect(kept.left).toEqual(['dead-1']);
  });

  describe('of messages that are rejected again', () => {
    const bad = Buffer.from('{"request":1}');
    const reject = async (messageId: string): Promise<TestMessage> => {
      published = [];
      await rejectMessage(services(), delivered(bad, {}, messageId), {
        reason: 'INVALID_JOB',
        issues: [],
        source: 'submitExport',
      });
      const original = published.pop()?.message;
      return { id: `kept-${messageId}`, data: bad, attributes: { ...original?.attributes } };
    };
    /** The jobs topic, with a function behind it that rejects each message at once, and the dead-letter topic keeps it. */
    const rejecting = (kept: Kept, keptAt: Date) => {
      let count = 0;
      const jobs: Publisher = {
        ...publisher,
        publish: async () => {
          count += 1;
          const messageId = `again-${count}`;
          kept.add({ ...(await reject(messageId)), publishTime: keptAt });
          return [{ messageId }];
        },
      };
      return { ...services(), publisher: jobs };
    };

    it.each([
      ['later, as it is', later(now, 1000)],
      ['earlier, by another clock', later(now, -1000)],
    ])('publishes each once and counts them, if they are kept %s', async (_, keptAt) => {
      const kept = keep(await reject('a'), await reject('b'));
      const result = await replayKeptMessages(rejecting(kept, keptAt), kept, { reasons: ['INVALID_JOB'] });
      expect(result).toMatchObject({
        messages: [
          { messageId: 'a', outcome: 'REPLAYED' },
          { messageId: 'b', outcome: 'REPLAYED' },
        ],
        rejectedAgain: 2,
        keptSince: 0,
        isInterrupted: false,
      });
      expect(kept.left).toEqual(['kept-again-1', 'kept-again-2']);
    });

    it('leaves what is kept after it began, and counts it', async () => {
      const kept = keep(await reject('a'), { ...(await reject('b')), publishTime: later(now, 1) });
      expect(await replayKeptMessages(services(), kept, { reasons: ['INVALID_JOB'] })).toMatchObject({
        messages: [{ messageId: 'a', outcome: 'REPLAYED' }],
        keptSince: 1,
      });
      expect(kept.left).toEqual(['kept-b']);
    });

    const redelivering = (kept: Kept): Kept => ({
      ...kept,
      pull: (limit) => {
        kept.endHolds();
        return kept.pull(limit);
      },
    });

    it('ends although messages that it leaves are redelivered', async () => {
      const kept = keep(await reject('a'), await reject('b'));
      expect(await replayed(redelivering(kept))).toEqual([]);
      expect(kept.left).toEqual(['kept-a', 'kept-b']);
    });

    it('publishes each once, although one that the topic does not accept is redelivered', async () => {
      const kept = keep(await reject('a'));
      publishOutcome = { error: new Error('the topic does not answer') };
      expect(await replayed(redelivering(kept), { reasons: ['INVALID_JOB'] })).toMatchObject([
        { messageId: 'a', outcome: 'NOT_PUBLISHED' },
      ]);
      expect(published).toHaveLength(1);
      expect(kept.left).toEqual(['kept-a']);
    });

    it('stops at an interruption, with the results so far, and reports progress', async () => {
      const letters = await Promise.all(Array.from({ length: 25 }, (_, n) => reject(`m-${n}`)));
      const kept = keep(...letters);
      const interrupt = new AbortController();
      const progress: number[] = [];
      const result = await replayKeptMessages({ ...services(), stopping: interrupt.signal }, kept, {
        reasons: ['INVALID_JOB'],
        onProgress: (count) => {
          progress.push(count);
          if (count === 13) {
            interrupt.abort();
          }
        },
      });
      expect(result).toMatchObject({ isInterrupted: true });
      expect(result.messages).toHaveLength(13);
      expect(progress).toEqual(Array.from({ length: 13 }, (_, n) => n + 1));
      expect(kept.left).toHaveLength(12);
      expect((await kept.pull(100)).length).toBe(12);
    });
  });
});

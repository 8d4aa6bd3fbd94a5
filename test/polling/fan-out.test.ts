import { describe, expect, it } from 'vitest';

import { MINUTE_MS, SECOND_MS } from '../../shared/clock.ts';
import { ServiceError } from '../../shared/errors.ts';
import { pollProject, type ProjectPoll } from '../../shared/polling/poll-project.ts';
import { between, inTurns } from '../../shared/polling/projects.ts';
import { envelopeOf, type Harness, type Instance, queueFull } from '../harness.ts';
import { createWatched, submitMany } from '../scale/watched.ts';

const projectsOf = (count: number): string[] =>
  Array.from({ length: count }, (_, n) => `team-${String(n).padStart(3, '0')}`);

async function withProjects(count: number) {
  const harness = createWatched({ environment: { VERIFY_DELIVERY: 'off' } });
  for (const project of projectsOf(count)) {
    await submitMany(harness, 1, project);
  }
  harness.clock.advance(MINUTE_MS);
  return harness;
}

const pollMessages = (harness: Harness): string[] =>
  harness.publisher.published
    .filter(({ topic }) => topic === harness.config.topics.polls)
    .map(({ message }) => Buffer.from(message.data).toString());

const poll = (
  { services, gate }: Instance,
  data: unknown,
  publishTime = services.clock.now(),
): Promise<ProjectPoll> => pollProject(services, gate, envelopeOf({ data, publishTime }));

describe('a poll of many projects', () => {
  it('works on up to eight projects itself', async () => {
    const harness = await withProjects(8);
    expect((await harness.poll()).calls.list).toBe(8);
    expect(pollMessages(harness)).toEqual([]);
  });

  it('publishes one message for each project if there are more, and reads each project about twice', async () => {
    const harness = await withProjects(200);
    harness.store.takeBill();
    expect(await harness.poll()).toMatchObject({ calls: { list: 0, get: 0, export: 0 } });
    expect(pollMessages(harness).sort()).toEqual(
      projectsOf(200).map((project) => JSON.stringify({ project })),
    );
    expect(harness.store.takeBill().reads).toBeLessThan(2 * 200 + 60);
  });

  it('begins with another project each time, since the instances may not get to the queues of the last ones', async () => {
    const harness = await withProjects(40);
    const firsts = new Set<string>();
    for (let minute = 0; minute < 10; minute += 1) {
      const before = pollMessages(harness).length;
      await harness.poll();
      firsts.add(pollMessages(harness)[before] ?? '');
    }
    expect(firsts.size).toBeGreaterThan(5);
  });

  it('works on all of them itself if the topic does not answer', async () => {
    const harness = await withProjects(9);
    harness.publisher.failing = true;
    expect((await harness.poll()).calls.list).toBe(9);
  });
});

describe('the order of projects within a poll', () => {
  const firstAt = (random: number, count: number) => {
    const run = { random: () => random } as unknown as Parameters<typeof inTurns>[0];
    const order = inTurns(run, projectsOf(count));
    expect([...order].sort()).toEqual(projectsOf(count));
    return order[0];
  };

  it('starts anywhere if not all are worked on at once, so that the slowest is not always first', () => {
    expect([0, 0.5, 0.99].map((random) => firstAt(random, 9))).toEqual(['team-000', 'team-004', 'team-008']);
    expect(firstAt(0.5, 8)).toBe('team-000');
  });
});

describe('the poll of one project', () => {
  it('sweeps it, and touches no other project', async () => {
    const harness = await withProjects(2);
    expect(await poll(harness, { project: 'team-001' })).toMatchObject({
      outcome: 'POLLED',
      summary: { submitted: 0, calls: { list: 1, export: 0 } },
    });
    expect(pollMessages(harness)).toEqual([]);
  });

  it('is exclusive: a second message is redelivered until the lease of the first run is over', async () => {
    const harness = await withProjects(1);
    const other = harness.instance();
    const message = { project: 'team-000' };
    const outcomes = await Promise.all([poll(harness, message), poll(other, message)]);
    expect(outcomes.map(({ outcome }) => outcome).sort()).toEqual(['BUSY', 'POLLED']);
    // Even if the run died at once, the next minute's message finds the project free.
    harness.clock.advance(45 * SECOND_MS);
    expect(await poll(other, message)).toMatchObject({ outcome: 'POLLED' });
  });

  it('leaves the project free for the next minute, although its message waited long', async () => {
    const harness = await withProjects(1);
    const message = { project: 'team-000' };
    const published = harness.clock.now();
    harness.clock.advance(40 * SECOND_MS);
    expect(await poll(harness, message, published)).toMatchObject({ outcome: 'POLLED' });
    harness.clock.advance(20 * SECOND_MS);
    expect(await poll(harness, message)).toMatchObject({ outcome: 'POLLED' });
  });

  it('ends before its lease, although the list of the project has no end', async () => {
    const harness = await withProjects(1);
    const slow = harness.instance((services) => ({
      ...services,
      earthEngine: {
        ...services.earthEngine,
        listOperations: async (_, token = '0') => {
          harness.clock.advance(SECOND_MS);
          return { operations: [], nextPageToken: String(Number(token) + 1) };
        },
      },
    }));
    const began = harness.clock.now().getTime();
    expect(await poll(slow, { project: 'team-000' })).toMatchObject({ outcome: 'POLLED' });
    expect(harness.clock.now().getTime() - began).toBeLessThan(45 * SECOND_MS);
  });

  it('is skipped if its message is older than a minute: the next one replaced it', async () => {
    const harness = await withProjects(1);
    const old = new Date(harness.clock.now().getTime() - 61 * SECOND_MS);
    expect(await poll(harness, { project: 'team-000' }, old)).toEqual({ outcome: 'SKIPPED' });
    expect(harness.simulator.counters().calls.list).toBe(0);
  });

  it.each([
    ['no JSON'],
    [{ project: 7 }],
    [{}],
    [{ project: 'a', more: 1 }],
    // Firestore has no document with these IDs.
    [{ project: '.' }],
    [{ project: '..' }],
    [{ project: 'a', feed: { token: 'x', until: 'tomorrow' } }],
    [{ project: 'a', feed: { token: 'x'.repeat(101), until: '2026-11-23T12:00:00Z' } }],
  ])('rejects the message %j', async (data) => {
    const harness = await withProjects(1);
    expect(await poll(harness, data)).toEqual({ outcome: 'SKIPPED' });
    const line = harness.logged.find(({ event }) => event === 'message.rejected');
    expect(line).toMatchObject({ source: 'pollExports', reason: 'INVALID_DATA' });
  });

  it('makes no call to a project that has no records', async () => {
    const harness = createWatched();
    expect(await poll(harness, { project: 'stranger' })).toMatchObject({
      summary: { calls: { list: 0, get: 0, export: 0 } },
    });
  });
});

describe('the queue of one project', () => {
  /** A project with jobs that wait, as its gate was closed for a moment. */
  async function withQueue(jobs: number, environment: Readonly<Record<string, string>> = {}) {
    const harness = createWatched({ environment: { VERIFY_DELIVERY: 'off', ...environment } });
    harness.simulator.failNext('export', queueFull);
    await submitMany(harness, jobs, 'team-full');
    return harness;
  }
  const message = { project: 'team-full' };
  /** The message to feed the queue. */
  const passedOn = (harness: Harness): unknown => JSON.parse(pollMessages(harness).at(-1) ?? '');
  const started = ({ simulator }: Harness): number => simulator.operations().length;

  it('is fed by another run, after the sweep, so that it keeps no other project waiting', async () => {
    const harness = await withQueue(3);
    harness.clock.advance(MINUTE_MS);
    expect(await poll(harness, message)).toMatchObject({ summary: { submitted: 0 } });
    expect(await poll(harness.instance(), passedOn(harness))).toMatchObject({
      outcome: 'POLLED',
      summary: { submitted: 3, calls: { export: 3 } },
    });
  });

  it('is fed once, however often that message is delivered', async () => {
    const harness = await withQueue(3);
    harness.clock.advance(MINUTE_MS);
    await poll(harness, message);
    const feed = passedOn(harness);
    const outcomes = await Promise.all([poll(harness, feed), poll(harness.instance(), feed)]);
    expect(outcomes.map(({ outcome }) => outcome).sort()).toEqual(['POLLED', 'SKIPPED']);
    expect(await poll(harness, message)).toEqual({ outcome: 'BUSY' });
  });

  it('is left to the next minute if that message is delivered late', async () => {
    const harness = await withQueue(3);
    harness.clock.advance(MINUTE_MS);
    await poll(harness, message);
    harness.clock.advance(51 * SECOND_MS);
    expect(await poll(harness, passedOn(harness))).toEqual({ outcome: 'SKIPPED' });
    expect(started(harness)).toBe(0);
  });

  it('is not fed by a message of the minute before', async () => {
    const harness = await withQueue(3);
    harness.clock.advance(MINUTE_MS);
    await poll(harness, message);
    const feed = passedOn(harness);
    harness.clock.advance(46 * SECOND_MS);
    await poll(harness, message);
    expect(await poll(harness, feed)).toEqual({ outcome: 'SKIPPED' });
  });

  it('is fed until the minute ends, and the next one finds the project free', async () => {
    const harness = await withQueue(100, { EARTHENGINE_REQUESTS_PER_SECOND: '1' });
    harness.clock.advance(MINUTE_MS);
    const minute = harness.clock.now().getTime();
    await poll(harness, message);
    await poll(harness, passedOn(harness));
    expect(started(harness)).toBeGreaterThan(40);
    expect(started(harness)).toBeLessThan(60);
    harness.clock.advance(minute + MINUTE_MS - harness.clock.now().getTime());
    expect(await poll(harness, message)).toMatchObject({ outcome: 'POLLED' });
  });

  it('is fed again and again if it runs dry quickly, until the minute ends', async () => {
    const harness = await withQueue(60, { MAX_ACTIVE_OPERATIONS: '3' });
    harness.simulator.set({ pendingMs: 0, startsPerSecond: 100, concurrency: 100, runMs: [1000, 1000] });
    harness.clock.advance(MINUTE_MS);
    const minute = harness.clock.now().getTime();
    await poll(harness, message);
    harness.clock.advance(30 * SECOND_MS);
    await poll(harness, passedOn(harness));
    expect(started(harness)).toBeGreaterThan(3);
    expect(harness.clock.now().getTime() - minute).toBeLessThan(53 * SECOND_MS);
  });

  it('is fed by the sweep itself if the topic does not answer', async () => {
    const harness = await withQueue(3);
    harness.clock.advance(MINUTE_MS);
    harness.publisher.failing = true;
    expect(await poll(harness, message)).toMatchObject({ summary: { submitted: 3 } });
  });

  it('is fed by one run if publishing that message got no response, although it was published', async () => {
    const harness = await withQueue(3);
    harness.clock.advance(MINUTE_MS);
    const whileFeeding: Promise<ProjectPoll>[] = [];
    const unlucky = harness.instance((services) => ({
      ...services,
      publisher: {
        ...services.publisher,
        publish: async (topic, messages, timeoutMs) => {
          const outcomes = await services.publisher.publish(topic, messages, timeoutMs);
          return topic === harness.config.topics.polls
            ? messages.map(() => ({ error: new ServiceError('PUBLISH_TIMEOUT', 'no response') }))
            : outcomes;
        },
      },
      earthEngine: {
        ...services.earthEngine,
        startExport: async (...call) => {
          if (whileFeeding.length === 0) {
            whileFeeding.push(poll(harness.instance(), passedOn(harness)));
          }
          await Promise.all(whileFeeding);
          return services.earthEngine.startExport(...call);
        },
      },
    }));
    expect(await poll(unlucky, message)).toMatchObject({ summary: { submitted: 3 } });
    expect(await Promise.all(whileFeeding)).toEqual([{ outcome: 'SKIPPED' }]);
  });

  it('is left to that message if it is delivered first', async () => {
    const harness = await withQueue(3);
    harness.clock.advance(MINUTE_MS);
    const fed: ProjectPoll[] = [];
    const unlucky = harness.instance((services) => ({
      ...services,
      publisher: {
        ...services.publisher,
        publish: async (topic, messages, timeoutMs) => {
          await services.publisher.publish(topic, messages, timeoutMs);
          fed.push(await poll(harness.instance(), passedOn(harness)));
          return messages.map(() => ({ error: new ServiceError('PUBLISH_TIMEOUT', 'no response') }));
        },
      },
    }));
    expect(await poll(unlucky, message)).toMatchObject({ outcome: 'POLLED', summary: { submitted: 0 } });
    expect(fed).toMatchObject([{ summary: { submitted: 3 } }]);
  });

  it('keeps the project for a minute at most, whatever the message says', async () => {
    const harness = await withQueue(3);
    harness.clock.advance(MINUTE_MS);
    await poll(harness, message);
    const { feed } = passedOn(harness) as { feed: { token: string } };
    const hostile = { ...message, feed: { ...feed, until: '9999-12-31T23:59:59Z' } };
    expect(await poll(harness, hostile)).toMatchObject({ summary: { submitted: 3 } });
    harness.clock.advance(MINUTE_MS);
    expect(await poll(harness, message)).toMatchObject({ outcome: 'POLLED' });
  });

  it('keeps it for no longer if the clock of Pub/Sub is ahead', async () => {
    const harness = await withQueue(3);
    harness.clock.advance(MINUTE_MS);
    await poll(harness, message, new Date(harness.clock.now().getTime() + 30 * SECOND_MS));
    const { feed } = passedOn(harness) as { feed: { until: string } };
    expect(Date.parse(feed.until) - harness.clock.now().getTime()).toBeLessThan(MINUTE_MS);
  });

  it('is fed by the sweep itself if sweeps take the whole minute', async () => {
    const harness = await withQueue(3);
    harness.clock.advance(MINUTE_MS);
    const published = harness.clock.now();
    harness.clock.advance(55 * SECOND_MS);
    expect(await poll(harness, message, published)).toMatchObject({ summary: { submitted: 3 } });
  });

  it('costs no message while its gate is closed', async () => {
    const harness = await withQueue(3);
    expect(await poll(harness, message)).toMatchObject({ outcome: 'POLLED' });
    expect(pollMessages(harness)).toEqual([]);
  });
});

describe('the middle of a range of projects', () => {
  it.each([
    ['a', 'z'],
    ['a', 'b'],
    ['team-001', 'team-002'],
    ['ab', 'ab-'],
    ['a', undefined],
    ['zzz', undefined],
  ])('of %s and %s is after the one, and not after the other', (low, high) => {
    const middle = between(low, high);
    expect(middle > low).toBe(true);
    expect(high === undefined || middle <= high).toBe(true);
  });
});

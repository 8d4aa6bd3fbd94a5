import { describe, expect, it } from 'vitest';

import { later, MINUTE_MS, SECOND_MS } from '../../shared/clock.ts';
import {
  type EarthEngine,
  EarthEngineError,
  type EarthEngineErrorKind,
} from '../../shared/earth-engine/api.ts';
import { jobRules, parseJobMessage } from '../../shared/message/job-message.ts';
import { serializeRequest } from '../../shared/message/identity.ts';
import { markedDescription } from '../../shared/model/ids.ts';
import type { SubmittingRecord } from '../../shared/model/record.ts';
import { claim } from '../../shared/record/new-records.ts';
import { claimAgain } from '../../shared/record/transitions.ts';
import { createRecord, updateRecord } from '../../shared/records.ts';
import { isReadable } from '../../shared/store/store.ts';
import type { SendContext } from '../../shared/submission/claimed-send.ts';
import { createGate } from '../../shared/submission/gate.ts';
import { createListings } from '../../shared/submission/listings.ts';
import { send } from '../../shared/submission/send.ts';
import { type Harness, smallJob } from '../harness.ts';
import { cancel, theRecord, world } from './rules-world.ts';

/** One claim and its sends, with answers of Earth Engine that are given one by one. */

const failure = (kind: EarthEngineErrorKind): EarthEngineError =>
  new EarthEngineError(kind, { message: kind, httpStatus: 400, status: kind, reply: kind });

interface Post {
  readonly requestId: string;
  readonly timeoutMs: number;
}

type StartExport = EarthEngine['startExport'];

/** Claims a job and sends it. Each answer handles one POST. */
function claimed(harness: Harness, fields: Partial<SubmittingRecord> = {}) {
  const { services, clock } = harness;
  const reading = parseJobMessage(smallJob(), jobRules(harness.config));
  if (!('job' in reading)) {
    throw new Error('the test job is not valid');
  }
  const { job } = reading;
  const { recordId } = job;
  const source = {
    requestId: recordId,
    description: markedDescription('small', recordId),
    messageId: '1',
  };
  const record = { ...claim(job, source, 'ours', services.policy, clock.now()), ...fields };
  const bytes = serializeRequest(job.request, recordId);
  const posts: Post[] = [];

  return {
    posts,
    send: async (
      answers: readonly ((
        context: SendContext,
        ...call: Parameters<StartExport>
      ) => ReturnType<StartExport>)[],
      listOperations: EarthEngine['listOperations'] = (...call) =>
        services.earthEngine.listOperations(...call),
    ) => {
      const created = await createRecord(services, recordId, record, bytes);
      if (!('created' in created)) {
        throw new Error('there is a record already');
      }
      const earthEngine: EarthEngine = {
        ...services.earthEngine,
        listOperations,
        startExport: (project, request, options) => {
          const { requestId } = JSON.parse(Buffer.from(request).toString()) as Post;
          const answer = answers[posts.length];
          posts.push({ requestId, timeoutMs: options.timeoutMs });
          if (!answer) {
            throw new Error('a POST too many');
          }
          return answer(context, project, request, options);
        },
      };
      const changed = { ...services, earthEngine };
      const context: SendContext = {
        ...changed,
        gate: createGate(changed),
        listings: createListings(changed),
      };
      const { sendOutcome } = await send(context, created.created, bytes);
      return sendOutcome;
    },
  };
}

const fails = (kind: EarthEngineErrorKind) => async () => {
  throw failure(kind);
};

describe('the time of a claim', () => {
  it('ends with its own lease, even if SUBMIT_TIMEOUT_SECONDS are not over', async () => {
    const harness = world();
    const leaseUntil = later(harness.clock.now(), 20 * SECOND_MS);
    const { posts, send } = claimed(harness, { claim: { token: 'ours', leaseUntil }, dueAt: leaseUntil });
    const lost = async () => {
      harness.clock.advance(21 * SECOND_MS);
      throw failure('UNANSWERED');
    };
    expect(await send([lost])).toBe('OUTAGE');
    expect(posts).toHaveLength(1);
  });

  it('leaves half of it to the first send, and the rest to the second', async () => {
    const harness = world();
    const { posts, send } = claimed(harness);
    const lost = async () => {
      harness.clock.advance(30 * SECOND_MS);
      throw failure('UNANSWERED');
    };
    await send([lost, lost]);
    expect(posts[0]?.timeoutMs).toBe(30 * SECOND_MS);
    expect(posts[1]?.timeoutMs).toBeGreaterThan(0);
    expect(posts[1]?.timeoutMs).toBeLessThan(30 * SECOND_MS);
    expect(posts).toHaveLength(2);
  });

  it('may be over before anything is sent', async () => {
    const harness = world();
    const { posts, send } = claimed(harness, { claim: { token: 'ours', leaseUntil: harness.clock.now() } });
    expect(await send([])).toBe('OUTAGE');
    expect(posts).toHaveLength(0);
    expect(await theRecord(harness)).toMatchObject({ state: 'WAITING', unanswered: 0, submissions: 0 });
  });
});

describe('unanswered sends', () => {
  it('are counted, and restart the count of searches', async () => {
    const harness = world();
    const at = harness.clock.now();
    const searches = { firstEndedAt: at, lastStartedAt: at, refusedAt: at };
    const { send } = claimed(harness, { unanswered: 1, searches });
    await send([fails('UNANSWERED'), fails('UNANSWERED'), fails('UNANSWERED')]);
    const record = await theRecord(harness);
    expect(record).toMatchObject({ state: 'WAITING', unanswered: 4, submissions: 3 });
    expect(record).not.toHaveProperty('searches');
  });
});

describe('after a refusal of the id', () => {
  it('the operation is searched for in a list that started after the last unanswered send', async () => {
    const harness = world();
    const { send } = claimed(harness);
    const lost = async (...[context, ...call]: [SendContext, ...Parameters<StartExport>]) => {
      harness.clock.advance(SECOND_MS);
      // Another search of this run reads the list while the request is on its way.
      await context.listings.since(call[0], harness.clock.now()).read(() => false);
      harness.clock.advance(SECOND_MS);
      await harness.services.earthEngine.startExport(...call);
      harness.clock.advance(SECOND_MS);
      throw failure('UNANSWERED');
    };
    expect(await send([lost, fails('ALREADY_STARTED')])).toBe('OPERATION');
    expect(await theRecord(harness)).toHaveProperty('operation', harness.simulator.operations()[0]?.name);
  });

  it('it is not given up if the list cannot be read, although an earlier search found nothing', async () => {
    const harness = world();
    const at = harness.clock.now();
    const searches = { firstEndedAt: at, lastStartedAt: at };
    const { posts, send } = claimed(harness, { searches });
    await send([fails('ALREADY_STARTED')], fails('UNANSWERED'));
    expect(posts).toHaveLength(1);
    const record = await theRecord(harness);
    expect(record).toMatchObject({ state: 'WAITING', waitingFor: 'ADOPTION', generation: 1 });
    expect(record).toHaveProperty('dueAt', harness.clock.now());
  });

  it('the refusal is part of the proof', async () => {
    const harness = world();
    const at = harness.clock.now();
    const searches = { firstEndedAt: at, lastStartedAt: at };
    harness.clock.advance(MINUTE_MS);
    const { send } = claimed(harness, { unanswered: 1, searches });
    await send([fails('ALREADY_STARTED')]);
    expect(await theRecord(harness)).toMatchObject({
      state: 'WAITING',
      unanswered: 1,
      searches: { firstEndedAt: at, refusedAt: harness.clock.now(), lastStartedAt: harness.clock.now() },
    });
  });

  it('a claim uses up at most three ids', async () => {
    const harness = world();
    const { posts, send } = claimed(harness);
    await send([fails('ALREADY_STARTED'), fails('ALREADY_STARTED'), fails('ALREADY_STARTED')]);
    expect(posts.map(({ requestId }) => requestId.replace(/^ve1-\w+/, ''))).toEqual(['', '-g2', '-g3']);
    expect(await theRecord(harness)).toMatchObject({ state: 'WAITING', generation: 3 });
  });

  it('nothing is sent if another process took the claim over during the search', async () => {
    const harness = world();
    const { posts, send } = claimed(harness);
    const takenOver: EarthEngine['listOperations'] = async (...call) => {
      const [stored] = await harness.records();
      const by = { token: 'theirs', serviceAccount: undefined, search: undefined };
      if (stored) {
        await updateRecord(harness.services, stored, (record) =>
          record.state === 'SUBMITTING'
            ? claimAgain(record, by, harness.services.policy, harness.clock.now())
            : undefined,
        );
      }
      return harness.services.earthEngine.listOperations(...call);
    };
    await send([fails('ALREADY_STARTED')], takenOver);
    expect(posts).toHaveLength(1);
    expect(await theRecord(harness)).toMatchObject({ state: 'SUBMITTING', claim: { token: 'theirs' } });
  });

  it('nothing is sent if the job was canceled during the search', async () => {
    const harness = world();
    const { posts, send } = claimed(harness);
    const canceled: EarthEngine['listOperations'] = async (...call) => {
      await cancel(harness);
      return harness.services.earthEngine.listOperations(...call);
    };
    await send([fails('ALREADY_STARTED')], canceled);
    expect(posts).toHaveLength(1);
    const record = await theRecord(harness);
    expect(record.state).toBe('CANCELLED');
    expect(record.requestId).not.toMatch(/-g2$/);
  });
});

describe('a claim whose commit got no answer', () => {
  it('is sent by the delivery that made it', async () => {
    const harness = world();
    // The client repeats such a commit, and then finds the record that it made itself.
    const repeating = harness.instance((services) => ({
      ...services,
      store: {
        ...services.store,
        records: {
          ...services.store.records,
          create: async (id, value, request) => {
            await services.store.records.create(id, value, request);
            const existing = await services.store.records.get(id);
            if (!existing || !isReadable(existing)) {
              throw new Error('there is no record');
            }
            return { existing };
          },
        },
      },
    }));
    expect(await repeating.submit({ data: smallJob() })).toMatchObject({ outcome: 'SENT' });
    expect(harness.simulator.operations()).toHaveLength(1);
  });
});

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import type { Trouble } from '../../../../cli/troubles.ts';
import { type Embedded, startEmbedded } from '../../../../infra/local/embedded/embedded.ts';
import { noteRunning } from '../../../../infra/local/local-context.ts';
import { createUser, type User } from '../../../local-user.ts';
import { root } from '../../../processes.ts';

/**
 * The worst hour: each trouble is found by one command, and ended by one more. Nothing else than the command line is used,
 * as on call. The service runs in this process; its store and its topics pass the tests of Firestore's and Pub/Sub's.
 */

let service: Embedded;
let user: User;
/** What no trouble of Earth Engine may cause. */
const problems: string[] = [];
const example = JSON.parse(
  readFileSync(join(root, 'infra/local/examples/las-vegas-growth.json'), 'utf8'),
) as object;

beforeAll(async () => {
  service = await startEmbedded({
    settings: { POLL_MIN_SECONDS: '1', RETRY_MIN_SECONDS: '0.2', RETRY_MAX_SECONDS: '1' },
    simulator: { pendingMs: 0, runMs: [200, 400], startsPerSecond: 100, concurrency: 20 },
    pollEveryMs: 100,
    onLine: (line) => {
      if (/"event":"(?:poll|message)\.failed"/.test(line)) {
        problems.push(line);
      }
    },
  });
  user = await createUser();
  await noteRunning(user.environment, {
    environment: { ...service.environment },
    embedded: true,
    pid: process.pid,
    folder: root,
  });
});

afterEach(async () => {
  await user.run('simulate', 'off');
});

afterAll(async () => {
  await user.remove();
  await service.stop();
  expect(problems).toEqual([]);
});

async function publishTo(
  topic: string,
  text: string,
  attributes: Readonly<Record<string, string>> = {},
): Promise<string> {
  const [outcome] = await service.broker.publish(topic, [{ data: Buffer.from(text), attributes }], 0);
  if (!outcome || 'error' in outcome) {
    throw outcome?.error ?? new Error('nothing was published');
  }
  return outcome.messageId;
}

const publish = (jobKey: string, change: object = {}): Promise<string> =>
  publishTo(service.config.topics.jobs, JSON.stringify({ ...example, jobKey, ...change }));

const AGAIN_AFTER_MS = 100;

/** Repeats a command until it prints this: the service takes a moment, which it needs the processor for. */
async function until(output: RegExp, ...args: readonly string[]): Promise<string> {
  for (;;) {
    const ran = await user.run(...args);
    if (output.test(ran.output)) {
      return ran.output;
    }
    await wait(AGAIN_AFTER_MS);
  }
}

async function ok(...args: readonly string[]): Promise<string> {
  const { code, output } = await user.run(...args);
  expect(code, output).toBe(0);
  return output;
}

describe('on call', () => {
  it.each<[Trouble, found: RegExp, end: readonly string[]]>([
    [
      'queue-full',
      /^ok +Waiting jobs +1 job for capacity in Earth Engine's queue, such as on-call\/queue-full/m,
      [],
    ],
    [
      'permission',
      /^problem +Waiting jobs +1 job: the service's account needs roles\/earthengine\.writer on the project/m,
      ['resume'],
    ],
    ['quota', /^problem +Waiting jobs +1 job for the reset of the project's EECU quota/m, ['resume']],
    ['outage', /^problem +Waiting jobs +1 job for Earth Engine, which did not respond/m, ['resume']],
  ])('%s: doctor finds it, and one command ends it', async (trouble, found, end) => {
    const jobKey = `on-call/${trouble}`;
    await ok('simulate', trouble);
    await publish(jobKey);
    await until(found, 'doctor');
    // The cause is gone: the queue moves, the role is granted, the quota is raised, the outage is over.
    await ok('simulate', 'off');
    if (end.length > 0) {
      await ok(...end);
    }
    expect(await ok('watch', jobKey)).toMatch(/SUCCEEDED/);
  });

  it('a poison message: stats finds it, show explains it, and it is replayed or corrected', async () => {
    const id = await publish('on-call/poison', { discription: 'x' });
    await until(/^Rejected +INVALID_JOB 1$/m, 'stats');
    const shown = await ok('show', id);
    expect(shown).toMatch(/issue +discription: is not a field/);
    expect(shown).toMatch(/then +Correct the message and submit it/);
    await publish('on-call/poison');
    await until(/^SUCCEEDED /, 'show', 'on-call/poison');
  });

  it('a dead letter: doctor finds it, and a replay ends it', async () => {
    // As Pub/Sub forwards a message that no function acknowledged.
    await publishTo(
      service.config.topics.deadLetters,
      JSON.stringify({ ...example, jobKey: 'on-call/dead-letter' }),
      {
        CloudPubSubDeadLetterSourceSubscription: `${service.config.topics.jobs}-push`,
        CloudPubSubDeadLetterSourceDeliveryCount: '50',
      },
    );
    await until(/^problem +Dead letters +1 message in the last 7 days/m, 'doctor');
    expect(await ok('dead-letters', 'replay')).toMatch(/published again/);
    await until(/^SUCCEEDED /, 'show', 'on-call/dead-letter');
    await until(/^ok +Dead letters +None/m, 'doctor');
  });

  it('a failure: show finds the reason, and a retry ends it', async () => {
    await ok('simulate', 'failure');
    await publish('on-call/failure');
    expect((await user.run('watch', 'on-call/failure')).code).toBeGreaterThan(0);
    await until(/error +.*User memory limit exceeded(?:.|\n)*advice/, 'show', 'on-call/failure');
    await ok('simulate', 'off');
    expect(await ok('retry', 'on-call/failure', '--force', '--watch')).toMatch(/SUCCEEDED/);
  });

  it('a stalled job: show finds it, and a cancellation and a retry end it', async () => {
    await ok('simulate', 'stall');
    await publish('on-call/stall');
    await until(/^RUNNING 73% /, 'show', 'on-call/stall');
    await ok('simulate', 'off');
    await ok('cancel', 'on-call/stall');
    await until(/^CANCELLED /, 'show', 'on-call/stall');
    expect(await ok('retry', 'on-call/stall', '--watch')).toMatch(/SUCCEEDED/);
  });

  it('slow calls: jobs start once each', async () => {
    await ok('simulate', 'slow');
    await publish('on-call/slow');
    await until(/^SUCCEEDED /, 'show', 'on-call/slow');
    const started = service.simulator
      .operations()
      .filter(({ description }) => description?.includes('las-vegas'));
    expect(new Set(started.map(({ requestId }) => requestId)).size).toBe(started.length);
  });

  it('simulate works only with the local service', async () => {
    const { code, output } = await user.run('simulate', 'outage', '--project', 'my-project');
    expect({ code, output }).toMatchObject({
      code: 2,
      output: expect.stringContaining('Only the service of npm start has a simulated Earth Engine') as string,
    });
  });
});

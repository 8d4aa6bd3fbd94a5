import { z } from 'zod';

import { later, MINUTE_MS, SECOND_MS } from '../clock.ts';
import { type Envelope, readJsonData } from '../message/envelope.ts';
import { rejectMessage } from '../message/rejection.ts';
import type { Services } from '../services.ts';
import { changeStatus, type Gate } from '../submission/gate.ts';
import { beginRun } from './begin-run.ts';
import { dueOperations, dueWaiting, eachDueOf, overdueClaims } from './due.ts';
import { type Fed, feedQueue } from './feed.ts';
import type { PollRun, PollSummary } from './poll-run.ts';
import { endUnusedProbes } from './project-gate.ts';
import { eachProject } from './projects.ts';
import { refillQueues } from './refill.ts';
import { sweepProject } from './sweep-project.ts';

/** The poll of one project, for a message that `fanOut` published. */

/** The run ends before its lease, and the lease before the next minute's message: it is never released, which saves a write. */
const BUDGET_MS = 40 * SECOND_MS;
const LEASE_MS = 45 * SECOND_MS;
/** A message that is older was replaced by that of the next minute. */
const STALE_MS = MINUTE_MS;

const messageSchema = z.strictObject({ project: z.string().regex(/^[a-z0-9.:-]{1,100}$/) });

export type ProjectPoll =
  | { readonly outcome: 'POLLED'; readonly summary: PollSummary }
  /** Nothing was done, and nothing is to be done: the message is not valid, or too old. */
  | { readonly outcome: 'SKIPPED' }
  /** Another run has the project. The message must be redelivered, in case that run died. */
  | { readonly outcome: 'BUSY' };

/** Whether the message is meant for `pollProject`, valid or not. */
export function namesProject(envelope: Envelope): boolean {
  const data = readJsonData(envelope);
  return 'json' in data && typeof data.json === 'object' && data.json !== null && 'project' in data.json;
}

export async function pollProject(services: Services, gate: Gate, envelope: Envelope): Promise<ProjectPoll> {
  const { clock, config, log, newToken } = services;
  const data = readJsonData(envelope);
  const message = 'json' in data ? messageSchema.safeParse(data.json) : undefined;
  if (!message?.success) {
    const issues =
      'issues' in data
        ? data.issues
        : [{ path: 'project', message: 'allowed: an object with the ID of a project, and nothing else' }];
    await rejectMessage(services, envelope, { reason: 'INVALID_DATA', issues, source: 'pollExports' });
    return { outcome: 'SKIPPED' };
  }
  const { project } = message.data;
  const ageMs = clock.now().getTime() - (envelope.publishTime?.getTime() ?? clock.now().getTime());
  if (ageMs > STALE_MS) {
    log.info('poll.stale', { project });
    return { outcome: 'SKIPPED' };
  }
  if (!(await takeLease(services, project, newToken()))) {
    return { outcome: 'BUSY' };
  }
  const run = beginRun(services, gate, Math.min(BUDGET_MS, config.pollBudgetMs));
  await work(run, project);
  run.summary.seconds = (clock.now().getTime() - run.startedAt.getTime()) / SECOND_MS;
  log.info('poll.project', { project, ...run.summary });
  return { outcome: 'POLLED', summary: run.summary };
}

async function takeLease(services: Services, project: string, token: string): Promise<boolean> {
  const status = await changeStatus(services, project, (current, now) =>
    current.poller && current.poller.leaseUntil > now
      ? undefined
      : { ...current, poller: { token, leaseUntil: later(now, LEASE_MS) } },
  );
  return status.poller?.token === token;
}

/** The parts of a run, as `pollExports` has them. Events, deliveries, and batches are left to it. */
async function work(run: PollRun, project: string): Promise<void> {
  const fed = new Map<string, Fed>();
  await Promise.all([
    eachDueOf(run, overdueClaims, project),
    eachProject(run, [project], 'sweeps', sweepProject),
  ]);
  await Promise.all([eachDueOf(run, dueWaiting, project), eachDueOf(run, dueOperations, project)]);
  await run.listings.keepUnfinished();
  await eachProject(run, [project], 'run', async () => {
    fed.set(project, await feedQueue(run, project));
  });
  await run.listings.keepUnfinished();
  await endUnusedProbes(run);
  await refillQueues(run, fed);
  await run.gate.shareAllPaces();
}

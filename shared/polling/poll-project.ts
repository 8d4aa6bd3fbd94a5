import { z } from 'zod';

import { later, MINUTE_MS, SECOND_MS } from '../clock.ts';
import { type Envelope, readJsonData } from '../message/envelope.ts';
import { rejectMessage } from '../message/rejection.ts';
import type { Services } from '../services.ts';
import type { ProjectStatus } from '../model/project-status.ts';
import { changeStatus, type Gate } from '../submission/gate.ts';
import { isDocumentId } from '../store/limits.ts';
import { recordQueries } from '../store/queries.ts';
import { type PollMessage, toPublish } from './fan-out.ts';
import { beginRun } from './begin-run.ts';
import { dueOperations, dueWaiting, eachDueOf, overdueClaims } from './due.ts';
import { feedQueues } from './feed.ts';
import type { PollRun, PollSummary } from './poll-run.ts';
import { endUnusedProbes } from './project-gate.ts';
import { eachProject } from './projects.ts';
import { refillQueues } from './refill.ts';
import { sweepProject } from './sweep-project.ts';

/**
 * The poll of one project, by two runs at most. The run for a message of `fanOut` sweeps the project and works on its due
 * records. If jobs of the project can be sent, it publishes a second message, and the run for that one feeds the queue. Sending
 * takes much longer than a sweep: if the first run did both, a few projects with long queues would keep all instances from
 * sweeping the others.
 */

/**
 * Both runs end within this time after `fanOut` published the first message, and their lease ends LEASE_MARGIN_MS later. So the
 * lease is over when the message of the next minute arrives, and no run releases it, which saves a write.
 */
const MINUTE_ENDS_MS = 52 * SECOND_MS;
/** How much longer a lease lasts than its run: calls that are in progress when a run ends take some seconds. */
const LEASE_MARGIN_MS = 5 * SECOND_MS;
/** A sweep takes no longer. If its instance dies, the redelivered message finds the lease over within the same minute. */
const LONGEST_SWEEP_MS = 40 * SECOND_MS;
/**
 * A sweep has at least this time, although it then ends after MINUTE_ENDS_MS if its message waited long. Otherwise, a project
 * whose messages always wait long would never be swept.
 */
const SHORTEST_SWEEP_MS = 10 * SECOND_MS;
/** With less time than this, a queue is not fed by a run of its own. */
const SHORTEST_FEED_MS = 2 * SECOND_MS;
/** A message that is older was replaced by that of the next minute. */
const STALE_MS = MINUTE_MS;
const PUBLISH_TIMEOUT_MS = 5 * SECOND_MS;

const messageSchema = z.strictObject({
  project: z
    .string()
    .regex(/^[a-z0-9.:-]{1,100}$/)
    .refine(isDocumentId),
  feed: z.strictObject({ token: z.string().max(100), until: z.iso.datetime() }).optional(),
}) satisfies z.ZodType<PollMessage>;

export type ProjectPoll =
  | { readonly outcome: 'POLLED'; readonly summary: PollSummary }
  /** Nothing was done, and the message is acknowledged: it is not valid, too late, or was handled before. */
  | { readonly outcome: 'SKIPPED' }
  /** Another run has the project. The message must be redelivered, in case that run died. */
  | { readonly outcome: 'BUSY' };

/** A run that has the lease of a project. */
interface LeasedRun {
  /** Identifies the run in the lease. */
  readonly token: string;
  /** When the run ends. */
  readonly until: Date;
}

/** Whether the message is meant for `pollProject`, valid or not. */
export function namesProject(envelope: Envelope): boolean {
  const data = readJsonData(envelope);
  return 'json' in data && typeof data.json === 'object' && data.json !== null && 'project' in data.json;
}

/** Handles a message for one project: sweeps the project, or feeds its queue. Records a message that is not valid. */
export async function pollProject(services: Services, gate: Gate, envelope: Envelope): Promise<ProjectPoll> {
  const data = readJsonData(envelope);
  const message = 'json' in data ? messageSchema.safeParse(data.json) : undefined;
  if (!message?.success) {
    const issues =
      'issues' in data
        ? data.issues
        : [
            {
              path: 'project',
              message: 'allowed: an object with the ID of a project, as pollExports publishes it',
            },
          ];
    await rejectMessage(services, envelope, { reason: 'INVALID_DATA', issues, source: 'pollExports' });
    return { outcome: 'SKIPPED' };
  }
  const { project, feed } = message.data;
  return feed
    ? runFeed(services, gate, project, { token: feed.token, until: new Date(feed.until) })
    : runSweep(services, gate, project, envelope.publishTime);
}

/** The first run: sweeps, works on due records, and has the queue fed if jobs can be sent. */
async function runSweep(
  services: Services,
  gate: Gate,
  project: string,
  publishTime: Date | undefined,
): Promise<ProjectPoll> {
  const { clock, config, log, newToken } = services;
  const now = clock.now();
  const ageMs = Math.max(0, now.getTime() - (publishTime ?? now).getTime());
  if (ageMs > STALE_MS) {
    log.info('poll.stale', { project });
    return { outcome: 'SKIPPED' };
  }
  const leftMs = MINUTE_ENDS_MS - ageMs;
  const sweepMs = Math.max(SHORTEST_SWEEP_MS, Math.min(LONGEST_SWEEP_MS, leftMs));
  const token = newToken();
  const until = later(now, sweepMs);
  const status = await takeLease(
    services,
    project,
    { token, until },
    ({ poller }) => !poller || poller.leaseUntil <= now,
  );
  if (status === undefined) {
    return { outcome: 'BUSY' };
  }
  const run = beginRun(services, gate, Math.min(sweepMs, config.pollBudgetMs));
  await sweepAndFollow(run, project);
  if (await mayFeed(run, project, status)) {
    const isPassedOn = await passOn(run, project, { token, until: later(now, leftMs) });
    // A message that got no response may still be delivered: only one of the two runs feeds.
    if (!isPassedOn && (await continueLease(services, project, token, until))) {
      await feedAndRefill(run, project);
    }
  }
  return finished(run, project);
}

/**
 * The second run: feeds the queue. It continues the lease of the run that passed the queue on, so a message that is delivered
 * twice, or in the next minute, finds another token in the lease.
 *
 * @param passed the token of that run, and when this one ends
 */
async function runFeed(
  services: Services,
  gate: Gate,
  project: string,
  passed: LeasedRun,
): Promise<ProjectPoll> {
  const { clock, config, log } = services;
  const now = clock.now();
  // Whatever the message says, or another clock: a project is never taken for longer than a minute.
  const leftMs = Math.min(passed.until.getTime() - now.getTime(), MINUTE_ENDS_MS);
  if (leftMs < SHORTEST_FEED_MS) {
    log.info('poll.stale', { project });
    return { outcome: 'SKIPPED' };
  }
  if (!(await continueLease(services, project, passed.token, later(now, leftMs)))) {
    return { outcome: 'SKIPPED' };
  }
  const run = beginRun(services, gate, Math.min(leftMs, config.pollBudgetMs));
  await feedAndRefill(run, project);
  return finished(run, project);
}

/** Whether jobs wait that Earth Engine may have room for. */
async function mayFeed(
  { store, clock }: PollRun,
  project: string,
  { closedUntil }: ProjectStatus,
): Promise<boolean> {
  if (closedUntil !== undefined && closedUntil > clock.now()) {
    return false;
  }
  return (await store.records.find(recordQueries.queued(project), { limit: 1 })).length > 0;
}

/**
 * Passes the queue on to another run: publishes the message to feed it.
 *
 * @param next this run's token, and when the next run ends
 * @returns false if this run must feed the queue itself: the topic does not accept the message, or the minute is almost over.
 *   If sweeps always take the whole minute, a queue that is left to the next one is never fed
 */
async function passOn(run: PollRun, project: string, { token, until }: LeasedRun): Promise<boolean> {
  const { publisher, config, log, clock } = run;
  if (until.getTime() - clock.now().getTime() < SHORTEST_FEED_MS) {
    return false;
  }
  const message = toPublish({ project, feed: { token, until: until.toISOString() } });
  const [outcome] = await publisher.publish(config.topics.polls, [message], PUBLISH_TIMEOUT_MS);
  if (outcome && 'error' in outcome) {
    log.error('poll.not_passed_on', outcome.error, { project });
    return false;
  }
  return true;
}

/**
 * Takes the lease of the project for a run, if it is free.
 *
 * @returns the project's status, or undefined if the lease is not free
 */
async function takeLease(
  services: Services,
  project: string,
  { token, until }: LeasedRun,
  isFree: (status: ProjectStatus) => boolean,
): Promise<ProjectStatus | undefined> {
  const leaseUntil = later(until, LEASE_MARGIN_MS);
  const status = await changeStatus(services, project, (current) =>
    isFree(current) ? { ...current, poller: { token, leaseUntil } } : undefined,
  );
  return status.poller?.token === token ? status : undefined;
}

/** Takes over the lease that has a token, under another token: of several runs that try, one succeeds. */
async function continueLease(
  services: Services,
  project: string,
  token: string,
  until: Date,
): Promise<boolean> {
  const next = { token: services.newToken(), until };
  return (await takeLease(services, project, next, ({ poller }) => poller?.token === token)) !== undefined;
}

/** As in a poll of all projects. Events, deliveries, batches, and budgets are left to the poll that published the messages. */
async function sweepAndFollow(run: PollRun, project: string): Promise<void> {
  await Promise.all([
    eachDueOf(run, overdueClaims, project),
    eachProject(run, [project], 'sweeps', sweepProject),
  ]);
  await Promise.all([eachDueOf(run, dueWaiting, project), eachDueOf(run, dueOperations, project)]);
  await run.listings.keepUnfinished();
  await endUnusedProbes(run);
  await run.gate.shareAllPaces();
}

async function feedAndRefill(run: PollRun, project: string): Promise<void> {
  const fed = await feedQueues(run, [project]);
  await refillQueues(run, fed);
  await run.gate.shareAllPaces();
}

function finished(run: PollRun, project: string): ProjectPoll {
  const { summary, clock, startedAt, log } = run;
  summary.seconds = (clock.now().getTime() - startedAt.getTime()) / SECOND_MS;
  log.info('poll.project', { project, ...summary });
  return { outcome: 'POLLED', summary };
}

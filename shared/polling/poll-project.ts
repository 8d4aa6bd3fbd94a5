import { z } from 'zod';

import { later, MINUTE_MS, SECOND_MS } from '../clock.ts';
import { type Envelope, readJsonData } from '../message/envelope.ts';
import { rejectMessage } from '../message/rejection.ts';
import type { Services } from '../services.ts';
import type { ProjectStatus } from '../model/project-status.ts';
import { changeStatus, type Gate } from '../submission/gate.ts';
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
 * The poll of one project, for a message that `fanOut` published. If jobs of the project can be sent, it publishes another
 * message, and the run for that one feeds the queue: sending takes much longer than a sweep, so in one run with it, a few
 * projects with long queues would keep all instances from sweeping the others.
 */

/**
 * A minute's runs end so long after its message was published: they and their leases are over when that of the next minute
 * arrives. A lease is never released, which saves a write.
 */
const MINUTE_ENDS_MS = 52 * SECOND_MS;
/** For calls that are in progress when a run ends. */
const LEASE_MARGIN_MS = 5 * SECOND_MS;
/** The longest sweep. If its instance dies, the redelivered message finds the lease over within the minute. */
const LONGEST_SWEEP_MS = 40 * SECOND_MS;
/** The least time for a sweep whose message waited long. */
const SHORTEST_SWEEP_MS = 10 * SECOND_MS;
/** With less time, feeding is left to the next minute. */
const SHORTEST_FEED_MS = 2 * SECOND_MS;
/** A message that is older was replaced by that of the next minute. */
const STALE_MS = MINUTE_MS;
const PUBLISH_TIMEOUT_MS = 5 * SECOND_MS;

const messageSchema = z.strictObject({
  project: z.string().regex(/^[a-z0-9.:-]{1,100}$/),
  feed: z.strictObject({ token: z.string().max(100), until: z.iso.datetime() }).optional(),
}) satisfies z.ZodType<PollMessage>;

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
  if (feed) {
    return feedProject(services, gate, project, { token: feed.token, until: new Date(feed.until) });
  }
  const now = clock.now();
  const ageMs = now.getTime() - (envelope.publishTime ?? now).getTime();
  if (ageMs > STALE_MS) {
    log.info('poll.stale', { project });
    return { outcome: 'SKIPPED' };
  }
  const leftMs = MINUTE_ENDS_MS - ageMs;
  const sweepMs = Math.max(SHORTEST_SWEEP_MS, Math.min(LONGEST_SWEEP_MS, leftMs));
  const token = newToken();
  const turn = { token, until: later(now, sweepMs) };
  const status = await takeLease(
    services,
    project,
    turn,
    ({ poller }) => !poller || poller.leaseUntil <= now,
  );
  if (status === undefined) {
    return { outcome: 'BUSY' };
  }
  const run = beginRun(services, gate, Math.min(sweepMs, config.pollBudgetMs));
  await sweepAndFollow(run, project);
  if (await mayFeed(run, project, status)) {
    const isPassedOn = await passOn(run, project, { token, until: later(now, leftMs) });
    await (isPassedOn ? undefined : feedAndRefill(run, project));
  }
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
 * Publishes the message to feed the project's queue.
 *
 * @returns false if this run must do that: the message is not accepted, or sweeps take the whole minute, and then each queue
 *   would be left to the next one forever
 */
async function passOn(run: PollRun, project: string, { token, until }: Turn): Promise<boolean> {
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

/** Feeds the queue under the lease of the run that passed it on, unless the message was delivered before, or is late. */
async function feedProject(
  services: Services,
  gate: Gate,
  project: string,
  passed: Turn,
): Promise<ProjectPoll> {
  const { clock, config, newToken } = services;
  const { until } = passed;
  const leftMs = until.getTime() - clock.now().getTime();
  const turn = { token: newToken(), until };
  if (
    leftMs < SHORTEST_FEED_MS ||
    !(await takeLease(services, project, turn, ({ poller }) => poller?.token === passed.token))
  ) {
    return { outcome: 'SKIPPED' };
  }
  const run = beginRun(services, gate, Math.min(leftMs, config.pollBudgetMs));
  await feedAndRefill(run, project);
  return finished(run, project);
}

function finished(run: PollRun, project: string): ProjectPoll {
  const { summary, clock, startedAt, log } = run;
  summary.seconds = (clock.now().getTime() - startedAt.getTime()) / SECOND_MS;
  log.info('poll.project', { project, ...summary });
  return { outcome: 'POLLED', summary };
}

/** What one run may do with a project, until when. */
interface Turn {
  readonly token: string;
  readonly until: Date;
}

/** @returns the project's status; undefined if the lease is not free */
async function takeLease(
  services: Services,
  project: string,
  { token, until }: Turn,
  isFree: (status: ProjectStatus) => boolean,
): Promise<ProjectStatus | undefined> {
  const leaseUntil = later(until, LEASE_MARGIN_MS);
  const status = await changeStatus(services, project, (current) =>
    isFree(current) ? { ...current, poller: { token, leaseUntil } } : undefined,
  );
  return status.poller?.token === token ? status : undefined;
}

/** The first parts of a run, as `pollExports` has them. Events, deliveries, and batches are left to it. */
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

/** And the last ones. */
async function feedAndRefill(run: PollRun, project: string): Promise<void> {
  const fed = await feedQueues(run, [project]);
  await refillQueues(run, fed);
  await run.gate.shareAllPaces();
}

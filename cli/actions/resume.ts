import { DAY_MS, later } from '../../shared/clock.ts';
import { type ExportRecord, isQueueReason, otherReasons } from '../../shared/model/record.ts';
import { markDue } from '../../shared/record/transitions.ts';
import { updateRecord } from '../../shared/records.ts';
import type { Services } from '../../shared/services.ts';
import { pages } from '../../shared/store/pages.ts';
import { listQueries } from '../../shared/store/list-queries.ts';
import { type Query, recordQueries } from '../../shared/store/queries.ts';
import { isReadable, type Stored } from '../../shared/store/store.ts';
import { changeStatus } from '../../shared/submission/gate.ts';
import { wrongInput } from '../cli-error.ts';
import type { Cli } from '../cli.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { writeJson } from '../output.ts';
import { findTarget, notFound, recordOf } from '../targets.ts';
import { plural } from '../text.ts';

const PAGE_SIZE = 300;
/** Longer than any job waits before it is tried again. */
const ANY_WAIT_MS = 365 * DAY_MS;

/**
 * Ends waits that are only a matter of time: the next poll tries these jobs, and probes a gate that is closed. Nothing is
 * skipped: if the cause is still there, they wait again.
 */
export async function resume(cli: Cli, ids: readonly string[]): Promise<ExitCode> {
  const services = await cli.services();
  const resumed = { jobs: 0, projects: new Set<string>() };
  if (ids.length === 0) {
    const now = services.clock.now();
    await resumeJobs(services, recordQueries.dueWaiting(later(now, ANY_WAIT_MS)), resumed);
    await openGates(services, await projectsInUse(services), resumed);
  }
  for (const id of ids) {
    await resumeOne(cli, services, id, resumed);
  }
  const { jobs, projects } = resumed;
  if (cli.json) {
    writeJson(cli, { jobs, projects: [...projects] });
  } else if (!cli.isQuiet) {
    const queues = projects.size > 0 ? ` and the queue of ${[...projects].join(', ')}` : '';
    cli.terminal.out(
      jobs + projects.size === 0
        ? await nothingResumed(services, ids)
        : `The next poll tries ${plural(jobs, 'job')}${queues}.`,
    );
  }
  return exitCodes.DONE;
}

async function nothingResumed({ store }: Services, ids: readonly string[]): Promise<string> {
  if (ids.length > 0) {
    return 'Nothing of it waits for a later time: the service sends these jobs as soon as it can.';
  }
  const waiting = await store.records.count(listQueries.inState('WAITING'));
  return waiting === 0
    ? 'No job waits: the service has already sent every job.'
    : `${plural(waiting, 'job')} ${waiting === 1 ? 'waits' : 'wait'}, but not for a later time: the service sends jobs as soon as it can.`;
}

interface Resumed {
  jobs: number;
  readonly projects: Set<string>;
}

async function resumeOne(cli: Cli, services: Services, id: string, resumed: Resumed): Promise<void> {
  const target = await findTarget(cli, id);
  const record = target && recordOf(target);
  if (record) {
    const { value } = record;
    if (value.state !== 'WAITING') {
      throw wrongInput('ARGUMENTS_WRONG', `${id} does not wait: it is ${value.state}.`);
    }
    if (isQueueReason(value.waitingFor)) {
      await openGates(services, [value.project], resumed);
    } else {
      await resumeJob(services, record, resumed);
    }
    return;
  }
  const { records, projects } = services.store;
  const own = recordQueries.dueWaitingOf(id, otherReasons, later(services.clock.now(), ANY_WAIT_MS));
  const [status, [waiting]] = await Promise.all([
    /^[\w.:-]+$/.test(id) ? projects.get(id) : undefined,
    records.find(own, { limit: 1 }),
  ]);
  if (!status && !waiting) {
    throw await notFound(cli, id, 'no record, job key, or Earth Engine project with waiting jobs');
  }
  await resumeJobs(services, own, resumed);
  await openGates(services, [id], resumed);
}

async function resumeJobs(services: Services, query: Query, resumed: Resumed): Promise<void> {
  for await (const page of pages(services.store.records, query, PAGE_SIZE)) {
    for (const stored of page.filter(isReadable)) {
      await resumeJob(services, stored, resumed);
    }
  }
}

async function resumeJob(services: Services, stored: Stored<ExportRecord>, resumed: Resumed): Promise<void> {
  const now = services.clock.now();
  await updateRecord(services, stored, (record) =>
    record.state === 'WAITING' && record.dueAt > now ? markDue(record, now) : undefined,
  );
  resumed.jobs += 1;
}

/** The closed gates among these: the next poll sends one job through each, whose response decides. */
async function openGates(services: Services, projects: readonly string[], resumed: Resumed): Promise<void> {
  for (const project of projects) {
    await changeStatus(services, project, (status, now) => {
      if (status.closedUntil === undefined || status.closedUntil <= now) {
        return undefined;
      }
      resumed.projects.add(project);
      return { ...status, closedUntil: now, updatedAt: now };
    });
  }
}

/** One read for each project. */
async function projectsInUse({ store }: Services): Promise<string[]> {
  const projects: string[] = [];
  for (;;) {
    const last = projects.at(-1);
    const page = { limit: 1, ...(last === undefined ? {} : { after: [last] }) };
    const [next] = await store.records.find(recordQueries.unfinishedByProject(), page);
    if (!next || !isReadable(next)) {
      return projects;
    }
    projects.push(next.value.project);
  }
}

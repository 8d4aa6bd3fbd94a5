import { MINUTE_MS, SECOND_MS } from '../../shared/clock.ts';
import { pollProject } from '../../shared/polling/poll-project.ts';
import { processCpuMs } from '../cpu-time.ts';
import { envelopeOf } from '../harness.ts';
import { fillProjects, projectNames } from '../scale/fleet-jobs.ts';
import { type FedFleet, feedFleet, type FeedingOptions } from '../scale/fleet-feeding.ts';
import { byInstances, noneOf } from './fleet-rows.ts';
import { median, type Row } from './table.ts';

/**
 * Rows of the benchmark `fleet` about feeding queues: some jobs of each project wait, and the fleet polls all projects and sends
 * these jobs.
 */

/** How many jobs of each project wait. */
const WAITING = 40;
/** With the last of these, there is room for all projects at once. */
const INSTANCES = [1, 4, 16, 64];
/** The CPU time of sending one job with Firestore's client: an instance sends 140 a second (docs/scale.md). */
const SEND_CPU_MS = SECOND_MS / 140;
/**
 * The limit for the time of a larger fleet. With four times as many instances, it is this multiple of a quarter of the
 * smaller fleet's time: the work of the last projects cannot be divided evenly.
 */
const LIMIT = 1.25;
/** The limit if there is room for all projects at once, as a multiple of one project's time alone: they still share CPUs. */
const ALONE_LIMIT = 2;

/** How many projects' queues are fed to measure the CPU time of sending. */
const MEASURED_PROJECTS = 40;
/** Few enough that 16 instances have room for all of them at once. */
const LIMITED_PROJECTS = 250;
/** Earth Engine's limit for each of these projects. */
const CALLS_PER_SECOND = 5;

/** @param fleet `cpuMs` is the CPU time of one poll */
export async function feedingRows(fleet: {
  readonly projects: number;
  readonly jobs: number;
  readonly cpuMs: number;
}): Promise<Row[]> {
  const { projects, jobs, cpuMs } = fleet;
  const each = { jobs: jobs - WAITING, waiting: WAITING, cpuMs, sendCpuMs: SEND_CPU_MS };
  const rows = [await sendCpuRow()];
  let smaller: { readonly instances: number; readonly tookMs: number } | undefined;
  for (const instances of INSTANCES) {
    const fed = await feedFleet({ ...each, projects, instances });
    rows.push(
      {
        what: `all waiting jobs sent by ${byInstances(instances)}`,
        value: fed.tookMs / SECOND_MS,
        baseline: smaller ? (smaller.tookMs * smaller.instances) / instances / SECOND_MS : 0,
        unit: 's',
        ...(smaller && { limit: LIMIT }),
      },
      ...rowsOfFaults(fed, byInstances(instances)),
    );
    smaller = { instances, tookMs: fed.tookMs };
  }
  const alone = await feedFleet({ ...each, projects: 1, instances: 1 });
  rows.push({
    what: `the same by ${smaller?.instances} instances, and by one that has one project`,
    value: (smaller?.tookMs ?? Number.NaN) / SECOND_MS,
    baseline: alone.tookMs / SECOND_MS,
    unit: 's',
    limit: ALONE_LIMIT,
  });
  return [...rows, ...(await limitedRows(each)), ...(await deathRows({ ...each, projects }))];
}

/** Projects that may make few calls a second: each learns that from its 429s, and more instances send no faster. */
async function limitedRows(each: Omit<FeedingOptions, 'projects' | 'instances'>): Promise<Row[]> {
  const limited = { ...each, projects: LIMITED_PROJECTS, simulator: { requestsPerSecond: CALLS_PER_SECOND } };
  const fed = await feedFleet({ ...limited, instances: 16 });
  const more = await feedFleet({ ...limited, instances: 32 });
  const alone = await feedFleet({ ...limited, projects: 1, instances: 1 });
  const what = `the same if a project takes ${CALLS_PER_SECOND} calls a second, ${LIMITED_PROJECTS} projects`;
  return [
    {
      what: `${what}, 16 instances, and one alone`,
      value: fed.tookMs / SECOND_MS,
      baseline: alone.tookMs / SECOND_MS,
      unit: 's',
      limit: ALONE_LIMIT,
    },
    {
      what: `${what}, 32 instances, and 16`,
      value: more.tookMs / SECOND_MS,
      baseline: fed.tookMs / SECOND_MS,
      unit: 's',
      least: 0.75,
    },
    ...rowsOfFaults(fed, 'with that limit'),
  ];
}

async function deathRows(each: Omit<FeedingOptions, 'instances'>): Promise<Row[]> {
  const fed = await feedFleet({ ...each, instances: 4, killAfterMs: 20 * SECOND_MS });
  return [
    {
      what: 'queues that are being fed by the one of 4 instances that dies',
      value: fed.killedFeeding,
      baseline: 1,
      unit: 'projects',
      least: 1,
    },
    {
      what: 'longest time between polls of a project then',
      value: fed.longestGapMs / SECOND_MS,
      baseline: MINUTE_MS / SECOND_MS,
      unit: 's',
      most: (2 * MINUTE_MS) / SECOND_MS,
    },
    ...rowsOfFaults(fed, 'if one of 4 dies'),
  ];
}

function rowsOfFaults({ missed, overlaps, lost, doubled }: FedFleet, when: string): Row[] {
  return [
    noneOf(`missed polls, ${when}`, missed, 'polls'),
    noneOf(`runs of a project at the same time, ${when}`, overlaps, 'runs'),
    noneOf(`jobs without an operation, ${when}`, lost, 'jobs'),
    noneOf(`extra operations of a job, ${when}`, doubled, 'operations'),
  ];
}

/** The queues are fed one after another, so that none waits for another one's CPU. */
async function sendCpuRow(): Promise<Row> {
  const { services, gate, clock, publisher } = await fillProjects(MEASURED_PROJECTS, {
    jobs: 0,
    waiting: WAITING,
    environment: { EARTHENGINE_REQUESTS_PER_SECOND: '1000000' },
  });
  const times: number[] = [];
  for (const project of projectNames(MEASURED_PROJECTS)) {
    const poll = (data: string) =>
      pollProject(services, gate, envelopeOf({ data, publishTime: clock.now() }));
    await poll(JSON.stringify({ project }));
    const feed = Buffer.from(publisher.published.at(-1)?.message.data ?? []).toString();
    const before = processCpuMs();
    await poll(feed);
    times.push((processCpuMs() - before) / WAITING);
  }
  return {
    what: 'sending one job, CPU, without Firestore, and what is assumed with it',
    value: median(times),
    baseline: SEND_CPU_MS,
    unit: 'ms',
    limit: 1,
  };
}

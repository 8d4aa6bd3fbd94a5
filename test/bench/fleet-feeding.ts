import { MINUTE_MS, SECOND_MS } from '../../shared/clock.ts';
import { pollProject } from '../../shared/polling/poll-project.ts';
import { envelopeOf } from '../harness.ts';
import { fillProjects, projectName } from '../scale/fleet-jobs.ts';
import { type Fed, feedFleet, type FeedingOptions } from '../scale/fleet-feeding.ts';
import { median, type Row } from './table.ts';

/** Rows of the benchmark `fleet`: a part of the jobs waits, and the fleet polls all projects and sends these. */

/** Of each project's jobs. */
const WAITING = 40;
/** With the last of these, there is room for all projects at once. */
const INSTANCES = [1, 4, 16, 64];
/** What sending a job computes in an instance, with Firestore's client: 140 a second (docs/scale.md). */
const SEND_CPU_MS = SECOND_MS / 140;
/** Of the time of fewer instances, divided by how many times more there are: the last projects cannot be divided. */
const LIMIT = 1.25;
/** Of the time that one project takes alone, once there is room for all: they still share CPUs. */
const ALONE_LIMIT = 2;

const MEASURED_PROJECTS = 40;
/** Few enough for 16 instances at once. */
const LIMITED_PROJECTS = 250;
const CALLS_PER_SECOND = 5;

export async function feedingRows(fleet: {
  readonly projects: number;
  readonly jobs: number;
  readonly cpuMs: number;
}): Promise<Row[]> {
  const { projects, jobs, cpuMs } = fleet;
  const each = { jobs: jobs - WAITING, waiting: WAITING, cpuMs, sendCpuMs: SEND_CPU_MS };
  const rows = [await sendCpuRow()];
  let fewer: { readonly instances: number; readonly tookMs: number } | undefined;
  for (const instances of INSTANCES) {
    const fed = await feedFleet({ ...each, projects, instances });
    rows.push(
      {
        what: `all waiting jobs sent by ${by(instances)}`,
        value: fed.tookMs / SECOND_MS,
        baseline: fewer ? (fewer.tookMs * fewer.instances) / instances / SECOND_MS : 0,
        unit: 's',
        ...(fewer && { limit: LIMIT }),
      },
      ...rowsOfFaults(fed, by(instances)),
    );
    fewer = { instances, tookMs: fed.tookMs };
  }
  const alone = await feedFleet({ ...each, projects: 1, instances: 1 });
  rows.push({
    what: `the same by ${fewer?.instances} instances, and by one that has one project`,
    value: (fewer?.tookMs ?? Number.NaN) / SECOND_MS,
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
  const [unit, aloneMs] = ['s', alone.tookMs];
  return [
    {
      what: `${what}, 16 instances, and one alone`,
      value: fed.tookMs / SECOND_MS,
      baseline: aloneMs / SECOND_MS,
      unit,
      limit: ALONE_LIMIT,
    },
    {
      what: `${what}, 32 instances, and 16`,
      value: more.tookMs / SECOND_MS,
      baseline: fed.tookMs / SECOND_MS,
      unit,
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

const by = (instances: number): string => `${instances} instance${instances === 1 ? '' : 's'}`;

function rowsOfFaults({ missed, overlaps, lost, doubled }: Fed, when: string): Row[] {
  const none = (what: string, value: number, unit: string): Row => ({
    what: `${what}, ${when}`,
    value,
    baseline: 0,
    unit,
    most: 0,
  });
  return [
    none('polls that a minute left out', missed, 'polls'),
    none('runs of a project at the same time', overlaps, 'runs'),
    none('jobs that no operation exists for', lost, 'jobs'),
    none('second operations of a job', doubled, 'jobs'),
  ];
}

/** One project's queue after another, so that none waits for another one's CPU. */
async function sendCpuRow(): Promise<Row> {
  const { services, gate, clock, publisher } = await fillProjects(MEASURED_PROJECTS, {
    jobs: 0,
    waiting: WAITING,
    environment: { EARTHENGINE_REQUESTS_PER_SECOND: '1000000' },
  });
  const times: number[] = [];
  for (let n = 0; n < MEASURED_PROJECTS; n += 1) {
    const poll = (data: string) =>
      pollProject(services, gate, envelopeOf({ data, publishTime: clock.now() }));
    await poll(JSON.stringify({ project: projectName(n) }));
    const feed = Buffer.from(publisher.published.at(-1)?.message.data ?? []).toString();
    const before = process.cpuUsage();
    await poll(feed);
    const { user, system } = process.cpuUsage(before);
    times.push((user + system) / 1000 / WAITING);
  }
  return {
    what: 'sending one job, CPU, without Firestore, and what is assumed with it',
    value: median(times),
    baseline: SEND_CPU_MS,
    unit: 'ms',
    limit: 1,
  };
}

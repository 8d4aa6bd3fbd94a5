import { MINUTE_MS, SECOND_MS } from '../../shared/clock.ts';
import { pollProject } from '../../shared/polling/poll-project.ts';
import { processCpuMs } from '../cpu-time.ts';
import { envelopeOf } from '../harness.ts';
import { fillProjects, projectNames } from '../scale/fleet-jobs.ts';
import { type Fleet, longestGapMs, missedPolls, overlaps, runFleet } from '../scale/fleet.ts';
import type { Watched } from '../scale/watched.ts';
import { feedingRows } from './fleet-feeding.ts';
import { byInstances, noneOf } from './fleet-rows.ts';
import { type Bench, median, type Row } from './table.ts';

/**
 * A thousand projects with a hundred jobs each, polled by fleets of several sizes, in virtual time: first with all jobs at Earth
 * Engine, then with many that wait. An instance has room for 16 polls and one CPU, and calls of Earth Engine take 600 ms. The
 * CPU time of a poll is measured here. It includes the simulated Earth Engine, so a real instance computes less.
 */

const PROJECTS = 1000;
const JOBS = 100;
const INSTANCES = [1, 4, 16];
const MINUTES = 2;
const MEASURED_POLLS = 40;
/**
 * The limit for the time of several instances, as a multiple of one instance's time divided by their number: the last polls
 * cannot be divided evenly.
 */
const LIMIT = 1.25;

const projects = projectNames(PROJECTS);

async function run(): Promise<Row[]> {
  const harness = await fillProjects(PROJECTS, { jobs: JOBS });
  const cpuMs = await measureCpu(harness);
  const rows: Row[] = [
    { what: 'one poll of a project with 100 operations, CPU', value: cpuMs, baseline: 0, unit: 'ms' },
  ];
  let one = 0;
  for (const instances of INSTANCES) {
    const fleet = await runFleet(harness, { projects, instances, minutes: MINUTES, cpuMs });
    one ||= fleet.lastRoundMs;
    rows.push(...rowsOf(fleet, instances, one));
  }
  return [
    ...rows,
    ...(await rowsOfDeath(harness, cpuMs)),
    ...(await feedingRows({ projects: PROJECTS, jobs: JOBS, cpuMs })),
  ];
}

/** The CPU time of one poll, in milliseconds: the median of several, one after another, so that none waits for another. */
async function measureCpu({ services, gate, clock }: Watched): Promise<number> {
  const times: number[] = [];
  for (const project of projects.slice(0, MEASURED_POLLS)) {
    const before = processCpuMs();
    const data = JSON.stringify({ project });
    await pollProject(services, gate, envelopeOf({ data, publishTime: clock.now() }));
    times.push(processCpuMs() - before);
  }
  clock.advance(MINUTE_MS);
  return median(times);
}

function rowsOf(fleet: Fleet, instances: number, oneMs: number): Row[] {
  const by = byInstances(instances);
  const round: Row = {
    what: `all projects polled by ${by}`,
    value: fleet.lastRoundMs / SECOND_MS,
    baseline: oneMs / instances / SECOND_MS,
    unit: 's',
  };
  return [
    instances === 1 ? { ...round, most: MINUTE_MS / SECOND_MS } : { ...round, limit: LIMIT },
    noneOf(`missed polls, ${by}`, missedPolls(fleet, PROJECTS), 'polls'),
    noneOf(`polls of a project by two runs at once, ${by}`, overlaps(fleet.runs).length, 'polls'),
  ];
}

async function rowsOfDeath(harness: Watched, cpuMs: number): Promise<Row[]> {
  const killAfterMs = MINUTE_MS + SECOND_MS;
  const fleet = await runFleet(harness, { projects, instances: 4, minutes: 4, killAfterMs, cpuMs });
  const { runs } = fleet;
  return [
    noneOf('missed polls, if one of 4 instances dies', missedPolls(fleet, PROJECTS), 'polls'),
    {
      what: 'polls that end with one of 4 instances',
      value: runs.filter(({ endMs }) => endMs === undefined).length,
      baseline: 1,
      unit: 'polls',
      least: 1,
    },
    {
      what: 'longest time between polls of a project then',
      value: longestGapMs(runs) / SECOND_MS,
      baseline: MINUTE_MS / SECOND_MS,
      unit: 's',
      most: (2 * MINUTE_MS) / SECOND_MS,
    },
    noneOf('polls of a project by two runs at once then', overlaps(runs).length, 'polls'),
  ];
}

const bench: Bench = { name: 'fleet', run };
export default bench;

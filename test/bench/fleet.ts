import { MINUTE_MS, SECOND_MS } from '../../shared/clock.ts';
import { pollProject } from '../../shared/polling/poll-project.ts';
import { envelopeOf } from '../harness.ts';
import { fillProjects, projectName } from '../scale/fleet-jobs.ts';
import { type Fleet, longestGapMs, missedPolls, overlaps, runFleet } from '../scale/fleet.ts';
import type { Watched } from '../scale/watched.ts';
import { feedingRows } from './fleet-feeding.ts';
import { type Bench, median, type Row } from './table.ts';

/**
 * A thousand projects with a hundred jobs each, polled by 1, 4, and 16 instances, in virtual time: first with all jobs at Earth
 * Engine, then with many that wait. An instance has room for 16 polls, one CPU, and calls that take 600 ms. What a poll computes
 * is measured here, as CPU time: it includes the simulated Earth Engine, so an instance computes less.
 */

const PROJECTS = 1000;
const JOBS = 100;
const INSTANCES = [1, 4, 16];
const MINUTES = 2;
const MEASURED_POLLS = 40;
/** Of the time of one instance, divided by the number of instances: the last polls cannot be divided. */
const LIMIT = 1.25;

const projects = Array.from({ length: PROJECTS }, (_, n) => projectName(n));

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

/** A project's poll, one after another, so that none waits for another one's CPU. */
async function measureCpu({ services, gate, clock }: Watched): Promise<number> {
  const times: number[] = [];
  for (let n = 0; n < MEASURED_POLLS; n += 1) {
    const before = process.cpuUsage();
    const data = JSON.stringify({ project: projectName(n) });
    await pollProject(services, gate, envelopeOf({ data, publishTime: clock.now() }));
    const { user, system } = process.cpuUsage(before);
    times.push((user + system) / 1000);
  }
  clock.advance(MINUTE_MS);
  return median(times);
}

function rowsOf(fleet: Fleet, instances: number, oneMs: number): Row[] {
  const by = `${instances} instance${instances === 1 ? '' : 's'}`;
  const round: Row = {
    what: `all projects polled by ${by}`,
    value: fleet.lastRoundMs / SECOND_MS,
    baseline: oneMs / instances / SECOND_MS,
    unit: 's',
  };
  return [
    instances === 1 ? { ...round, most: MINUTE_MS / SECOND_MS } : { ...round, limit: LIMIT },
    {
      what: `polls that a minute left out, ${by}`,
      value: missedPolls(fleet, PROJECTS),
      baseline: 0,
      unit: 'polls',
      most: 0,
    },
    {
      what: `polls of a project by two runs at once, ${by}`,
      value: overlaps(fleet.runs).length,
      baseline: 0,
      unit: 'polls',
      most: 0,
    },
  ];
}

async function rowsOfDeath(harness: Watched, cpuMs: number): Promise<Row[]> {
  const killAfterMs = MINUTE_MS + SECOND_MS;
  const fleet = await runFleet(harness, { projects, instances: 4, minutes: 4, killAfterMs, cpuMs });
  const { runs } = fleet;
  return [
    {
      what: 'polls that a minute left out, if one of 4 instances dies',
      value: missedPolls(fleet, PROJECTS),
      baseline: 0,
      unit: 'polls',
      most: 0,
    },
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
    {
      what: 'polls of a project by two runs at once then',
      value: overlaps(runs).length,
      baseline: 0,
      unit: 'polls',
      most: 0,
    },
  ];
}

const bench: Bench = { name: 'fleet', run };
export default bench;

import type { SimulatorSettings } from '../../infra/local/simulator/index.ts';
import { parseRequestId } from '../../shared/model/ids.ts';
import { isInSubmission } from '../../shared/model/record.ts';
import { type FleetOptions, longestGapMs, missedPolls, overlaps, runFleet } from './fleet.ts';
import { fillProjects, projectName } from './fleet-jobs.ts';
import type { Watched } from './watched.ts';

/** A fleet that polls projects whose jobs wait, until all of them are at Earth Engine. */

export interface FeedingOptions extends Omit<FleetOptions, 'projects' | 'minutes' | 'isDone'> {
  readonly projects: number;
  /** Jobs of each project that are at Earth Engine when it begins. */
  readonly jobs: number;
  /** Jobs of each project that wait. */
  readonly waiting: number;
  /** Changes the simulated Earth Engine when it begins. */
  readonly simulator?: Partial<SimulatorSettings>;
  readonly environment?: Readonly<Record<string, string>>;
}

export interface Fed {
  /** From the messages of the first minute until Earth Engine has started the last job. */
  readonly tookMs: number;
  /** Polls that a minute left out. */
  readonly missed: number;
  /** Between two polls of a project. */
  readonly longestGapMs: number;
  /** Runs that had a project while another one had it, whether they sweep or feed. */
  readonly overlaps: number;
  /** Runs that ended with their instance, and those of them that fed a queue. */
  readonly killed: number;
  readonly killedFeeding: number;
  /** Jobs without an operation. */
  readonly lost: number;
  /** Operations beyond the first one of a job. */
  readonly doubled: number;
}

const MOST_MINUTES = 120;

export async function feedFleet(options: FeedingOptions): Promise<Fed> {
  const { projects: count, jobs, waiting, simulator, environment, ...rest } = options;
  const harness = await fillProjects(count, { jobs, waiting, environment });
  harness.simulator.set(simulator ?? {});
  const projects = Array.from({ length: count }, (_, n) => projectName(n));
  const fleet = await runFleet(harness, {
    ...rest,
    projects,
    minutes: MOST_MINUTES,
    isDone: async () => (await inSubmission(harness)) === 0,
  });
  const { runs, beganMs } = fleet;
  const killed = runs.filter(({ endMs }) => endMs === undefined);
  return {
    tookMs: Math.max(...startTimes(harness)) - beganMs,
    missed: missedPolls(fleet, count),
    longestGapMs: longestGapMs(runs),
    overlaps: overlaps(runs).length,
    killed: killed.length,
    killedFeeding: killed.filter(({ feeds }) => feeds).length,
    ...(await operationsOf(harness, count * (jobs + waiting))),
  };
}

const startTimes = ({ simulator }: Watched): number[] =>
  simulator.exportCalls.filter(({ outcome }) => outcome === 'STARTED').map(({ at }) => Date.parse(at));

const inSubmission = ({ memory }: Watched): Promise<number> =>
  memory.records.count({ where: [['state', 'in', ['WAITING', 'SUBMITTING']]], orderBy: [] });

/** Compares what Earth Engine has with the records. */
async function operationsOf(harness: Watched, jobs: number) {
  const operations = new Map<string, number>();
  for (const { requestId = '' } of harness.simulator.operations()) {
    const id = parseRequestId(requestId)?.recordId ?? requestId;
    operations.set(id, (operations.get(id) ?? 0) + 1);
  }
  const stored = await harness.records();
  const found = stored.filter(({ id, value }) => !isInSubmission(value) && operations.has(id));
  const doubled = stored.reduce((sum, { id }) => sum + Math.max(0, (operations.get(id) ?? 0) - 1), 0);
  return { lost: jobs - found.length, doubled };
}

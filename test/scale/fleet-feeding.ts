import type { SimulatorSettings } from '../../infra/local/simulator/index.ts';
import { parseRequestId } from '../../shared/model/ids.ts';
import { isInSubmission } from '../../shared/model/record.ts';
import { type FleetOptions, longestGapMs, missedPolls, overlaps, runFleet } from './fleet.ts';
import { fillProjects, projectNames } from './fleet-jobs.ts';
import type { Watched } from './watched.ts';

/** A fleet that polls projects whose jobs wait, until all jobs are at Earth Engine. */

export interface FeedingOptions extends Omit<FleetOptions, 'projects' | 'minutes' | 'isDone'> {
  readonly projects: number;
  /** Jobs of each project that are at Earth Engine from the start. */
  readonly jobs: number;
  /** Jobs of each project that wait in the queue. */
  readonly waiting: number;
  /** Changes to the simulated Earth Engine, after the jobs were made. */
  readonly simulator?: Partial<SimulatorSettings>;
  readonly environment?: Readonly<Record<string, string>>;
}

export interface FedFleet {
  /** From the messages of the first minute until Earth Engine has started the last job. */
  readonly tookMs: number;
  /** Polls that are missing, if each project is polled once a minute. */
  readonly missed: number;
  /** The longest time between two polls of a project. */
  readonly longestGapMs: number;
  /** Runs that worked on a project while another run did, whether they sweep or feed. */
  readonly overlaps: number;
  /** Runs that were feeding a queue when their instance died. */
  readonly killedFeeding: number;
  /** Jobs without an operation. */
  readonly lost: number;
  /** Operations beyond the first one of a job. */
  readonly doubled: number;
}

/** A fleet that is not done by then never is. */
const MOST_MINUTES = 120;

export async function feedFleet(options: FeedingOptions): Promise<FedFleet> {
  const { projects: count, jobs, waiting, simulator, environment, ...rest } = options;
  const harness = await fillProjects(count, { jobs, waiting, environment });
  harness.simulator.set(simulator ?? {});
  const fleet = await runFleet(harness, {
    ...rest,
    projects: projectNames(count),
    minutes: MOST_MINUTES,
    isDone: async () => (await inSubmission(harness)) === 0,
  });
  const { runs, beganMs } = fleet;
  return {
    tookMs: Math.max(...startTimes(harness)) - beganMs,
    missed: missedPolls(fleet, count),
    longestGapMs: longestGapMs(runs),
    overlaps: overlaps(runs).length,
    killedFeeding: runs.filter(({ feeds, endMs }) => feeds && endMs === undefined).length,
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

import { SECOND_MS } from '../clock.ts';
import { createPace, type Pace } from '../earth-engine/pace.ts';
import type { ProjectStatus } from '../model/project-status.ts';
import type { Services } from '../services.ts';

/** The pace of each project's calls in this process, and its copy in the project's status, which costs few writes. */
export interface Paces {
  readonly of: (project: string) => Pace;
  /** Continues from the stored pace if another process had to slow down more, or if this one has sent nothing yet. */
  readonly adopt: (project: string, status: ProjectStatus | undefined) => void;
  /** Stores a project's pace after Earth Engine refused a call, unless it was stored a moment ago or is nearly the same. */
  readonly share: (project: string) => Promise<void>;
  /** Stores the paces of projects to which much was sent: called at the end of a run. */
  readonly shareAll: () => Promise<void>;
}

const SHARE_MS = 5 * SECOND_MS;
/** Below this, finding the rate again costs less than the write. */
const MANY_TURNS = 100;
/** A stored pace is worth a write if it is this much off. */
const MUCH = 0.2;

interface Shared {
  readonly at: Date;
  readonly perSecond: number;
  readonly turns: number;
}

/** @param changeStatus changes what is stored about a project */
export function createPaces(
  { clock, config, log }: Pick<Services, 'clock' | 'config' | 'log'>,
  changeStatus: (
    project: string,
    change: (status: ProjectStatus, now: Date) => ProjectStatus | undefined,
  ) => Promise<unknown>,
): Paces {
  const paces = new Map<string, Pace>();
  const shared = new Map<string, Shared>();

  const of = (project: string): Pace => {
    const known = paces.get(project);
    if (known) {
      return known;
    }
    const pace = createPace(clock, config.requestsPerSecond);
    paces.set(project, pace);
    return pace;
  };

  const store = async (project: string): Promise<void> => {
    const pace = of(project);
    const { perSecond, limit } = pace.memory();
    const last = shared.get(project);
    if (last && Math.abs(perSecond - last.perSecond) < last.perSecond * MUCH) {
      return;
    }
    shared.set(project, { at: clock.now(), perSecond, turns: pace.turns() });
    try {
      await changeStatus(project, (status, at) => ({
        ...status,
        pace: { perSecond, at, ...(limit === undefined ? {} : { limit }) },
      }));
    } catch (error) {
      // Others then find the rate themselves.
      log.error('project.status_not_saved', error, { project });
    }
  };

  return {
    of,
    adopt: (project, status) => {
      const stored = status?.pace;
      const last = shared.get(project);
      if (!stored || (last && stored.at <= last.at)) {
        return;
      }
      const pace = of(project);
      shared.set(project, { at: stored.at, perSecond: stored.perSecond, turns: pace.turns() });
      if (pace.turns() === 0 || stored.perSecond < pace.memory().perSecond) {
        pace.resume(stored);
      }
    },
    share: async (project) => {
      const last = shared.get(project);
      const isRecent = last && clock.now().getTime() - last.at.getTime() < SHARE_MS;
      if (!isRecent && of(project).memory().limit !== undefined) {
        await store(project);
      }
    },
    shareAll: async () => {
      for (const [project, pace] of paces) {
        // Without a limit, the next run finds the rate within seconds, so that costs no write.
        const isLimited = pace.memory().limit !== undefined || shared.has(project);
        if (isLimited && pace.turns() - (shared.get(project)?.turns ?? 0) >= MANY_TURNS) {
          await store(project);
        }
      }
    },
  };
}

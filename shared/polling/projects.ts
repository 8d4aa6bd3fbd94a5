import pMap from 'p-map';

import { recordQueries } from '../store/queries.ts';
import { isReadable } from '../store/store.ts';
import type { PollRun, RunParts } from './poll-run.ts';

/** The projects of a run. */

/** With more projects than this, each has a run of its own. */
export const PROJECTS_AT_ONCE = 8;
const READS_AT_ONCE = 32;

/** Projects after one ID, up to and including another. */
interface Range {
  readonly after: string | undefined;
  readonly upTo: string | undefined;
}

/**
 * The projects of all records that are not final, with one read each, and another one to see that none is between two of
 * them. Beyond a handful, ranges are read at the same time: a thousand reads one after another would take a minute.
 */
export async function projectsInUse(run: PollRun): Promise<string[]> {
  const projects: string[] = [];
  let after: string | undefined;
  while (projects.length <= PROJECTS_AT_ONCE) {
    const found = await firstIn(run, { after, upTo: undefined });
    if (found === undefined) {
      return projects;
    }
    projects.push(...found.inUse);
    after = found.project;
  }
  let ranges: Range[] = [{ after, upTo: undefined }];
  while (ranges.length > 0) {
    const halves = await pMap(
      ranges,
      async (range) => {
        const found = await firstIn(run, range);
        if (found === undefined) {
          return [];
        }
        projects.push(...found.inUse);
        const middle = between(found.project, range.upTo);
        return [
          { after: found.project, upTo: middle },
          { after: middle, upTo: range.upTo },
        ];
      },
      { concurrency: READS_AT_ONCE },
    );
    ranges = halves.flat();
  }
  return projects;
}

/** Whatever value an unreadable record has as its project, the other projects come after it. */
async function firstIn(
  { store }: PollRun,
  { after, upTo }: Range,
): Promise<{ readonly project: string; readonly inUse: readonly string[] } | undefined> {
  const page = { limit: 1, ...(after === undefined ? {} : { after: [after] }) };
  const [found] = await store.records.find(recordQueries.unfinishedByProject(upTo), page);
  if (found === undefined) {
    return undefined;
  }
  const project: unknown = isReadable(found) ? found.value.project : found.fields['project'];
  const text = typeof project === 'string' ? project : '';
  return { project: text, inUse: text === '' ? [] : [text] };
}

/** IDs of projects are made of these, and of what is between them. */
const FIRST = '-'.charCodeAt(0);
const LAST = 'z'.charCodeAt(0);

/** A text about halfway between two others: after `low`, and up to `high`. */
export function between(low: string, high: string | undefined): string {
  const differs = low.split('').findIndex((letter, n) => letter !== high?.[n]);
  const at = differs === -1 ? low.length : differs;
  const lower = at < low.length ? low.charCodeAt(at) : FIRST - 1;
  const upper = high !== undefined && at < high.length ? high.charCodeAt(at) : LAST + 1;
  if (upper - lower > 1) {
    return low.slice(0, at) + String.fromCharCode(Math.floor((lower + upper) / 2));
  }
  const next = low.slice(0, at + 1) + between(low.slice(at + 1), undefined);
  return high === undefined || next < high ? next : high;
}

/** With more projects than are worked on at once, each run starts with another one, so that the slowest is not always first. */
export function inTurns({ random }: Pick<PollRun, 'random'>, projects: readonly string[]): readonly string[] {
  if (projects.length <= PROJECTS_AT_ONCE) {
    return projects;
  }
  const first = Math.floor(random() * projects.length);
  return [...projects.slice(first), ...projects.slice(0, first)];
}

/** Works on each project until that part of the run is over. If one fails, the others go on. */
export async function eachProject(
  run: PollRun,
  projects: readonly string[],
  part: keyof RunParts,
  work: (run: PollRun, project: string) => Promise<void>,
): Promise<void> {
  const isolated = async (project: string): Promise<void> => {
    if (run.isOver(part)) {
      return;
    }
    try {
      await work(run, project);
    } catch (error) {
      run.summary.failed += 1;
      run.log.error('project.failed', error, { project });
    }
  };
  await pMap(projects, isolated, { concurrency: PROJECTS_AT_ONCE });
}

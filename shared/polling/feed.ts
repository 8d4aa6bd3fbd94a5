import type { ExportRecord } from '../model/record.ts';
import { recordQueries } from '../store/queries.ts';
import { cursorOf, isReadable, type Stored } from '../store/store.ts';
import { recordFailed } from './defer.ts';
import type { PollRun } from './poll-run.ts';
import { isFailing } from './project-failures.ts';
import { endUnusedProbes, gateOf, type ProjectGate, resumeThroughGate, roomOf } from './project-gate.ts';
import { eachProject } from './projects.ts';
import { createSenders, type Senders } from './senders.ts';

/** Feeding Earth Engine's queue from ours: highest priority first, then oldest, as capacity frees up. */

/** One page of the queue: the records that are sent before the free slots are counted again. */
const PAGE = 100;
/** As many calls are in flight as the pace and the latency allow, within these: more would take too much memory. */
const FEWEST_SENDERS = 8;
const MOST_SENDERS = 128;
/** One more for so many jobs that were accepted: all that are in flight when a queue or a quota is full are refused. */
const ACCEPTED_PER_SENDER = 4;
/** What sending takes beside the call of Earth Engine: reading the request, the claim, and recording the outcome. */
const STORE_MS = 250;

/** What feeding a queue came to. */
export interface Fed {
  /** When it began. */
  readonly at: Date;
  /** The slots that were free then. */
  readonly freed: number;
  /** Whether jobs wait for a slot, and for nothing else. */
  readonly isWaiting: boolean;
}

/**
 * Feeds the queues of these projects until the run is over. If one fails, the others go on.
 *
 * @returns what came of it, by project; without the projects that failed, or that no time was left for
 */
export async function feedQueues(run: PollRun, projects: readonly string[]): Promise<Map<string, Fed>> {
  const fed = new Map<string, Fed>();
  await eachProject(run, projects, 'run', async (_run, project) => {
    fed.set(project, await feedQueue(run, project));
  });
  await run.listings.keepUnfinished();
  await endUnusedProbes(run);
  return fed;
}

/** Sends a project's waiting jobs while its gate is open and there is room under MAX_ACTIVE_OPERATIONS. */
export async function feedQueue(run: PollRun, project: string): Promise<Fed> {
  const pace = run.gate.pace(project);
  const submittedBefore = run.summary.submitted;
  const senders = createSenders(() => {
    const accepted = run.summary.submitted - submittedBefore;
    const most = Math.min(MOST_SENDERS, FEWEST_SENDERS + Math.floor(accepted / ACCEPTED_PER_SENDER));
    return Math.max(FEWEST_SENDERS, Math.min(most, pace.callsAtOnce(STORE_MS)));
  });
  const sentBefore = pace.turns();
  const at = run.clock.now();
  try {
    for (;;) {
      const pass = await feedOnce(run, project, senders);
      if (pass.end !== 'AGAIN') {
        const sent = pace.turns() - sentBefore;
        return { at, freed: sent + Math.max(0, pass.room), isWaiting: pass.end === 'NO_ROOM' };
      }
      // Jobs that were refused for the rate are in the queue again, and those behind them must not overtake them.
    }
  } finally {
    await senders.idle();
  }
}

interface Pass {
  readonly end: 'AGAIN' | 'NO_ROOM' | 'DONE';
  /** The free slots that are left. */
  readonly room: number;
}

/** Goes through the queue once, from its head. */
async function feedOnce(run: PollRun, project: string, senders: Senders): Promise<Pass> {
  const query = recordQueries.queued(project);
  let gate: ProjectGate | undefined;
  let after: readonly unknown[] | undefined;
  const mayGoOn = () => !run.isOver() && !isFailing(run, project, 'feed');
  while (mayGoOn()) {
    const cursor = after ? { after } : {};
    const [first] = await run.store.records.find(query, { limit: 1, ...cursor });
    if (first === undefined) {
      break;
    }
    const isFirst = gate === undefined;
    gate = await gateOf(run, project);
    gate.slowed = isFirst ? false : gate.slowed;
    gate.room = await roomLeft(run, project, senders);
    if (gate.feeding === 'CLOSED' || gate.room <= 0) {
      return { end: gate.feeding === 'CLOSED' ? 'DONE' : 'NO_ROOM', room: gate.room };
    }
    const page = await run.store.records.find(query, { limit: Math.min(gate.room, PAGE), ...cursor });
    for (const found of page) {
      await senders.start(() => (isReadable(found) ? feedOne(run, found) : reportUnreadable(run, found)));
    }
    const last = page.at(-1);
    if (last === undefined) {
      break;
    }
    after = cursorOf(query, last);
  }
  await senders.idle();
  const isAgain = gate?.slowed === true && gate.feeding === 'OPEN' && mayGoOn();
  return { end: isAgain ? 'AGAIN' : 'DONE', room: gate?.room ?? 0 };
}

/** The free slots. Some jobs in progress may not have taken theirs yet, and others may have. */
async function roomLeft(run: PollRun, project: string, senders: Senders): Promise<number> {
  const room = (await roomOf(run, project)) - senders.inProgress();
  if (room > 0 || senders.inProgress() === 0) {
    return room;
  }
  await senders.idle();
  return roomOf(run, project);
}

async function feedOne(run: PollRun, stored: Stored<ExportRecord>): Promise<void> {
  if (run.isOver() || isFailing(run, stored.value.project, 'feed')) {
    return;
  }
  const startedAt = run.clock.now();
  try {
    await resumeThroughGate(run, stored, 'feed');
  } catch (error) {
    await recordFailed(run, stored, error, { purpose: 'feed', startedAt });
  }
}

async function reportUnreadable(
  run: PollRun,
  { id, unreadable }: { id: string; unreadable: Error },
): Promise<void> {
  run.summary.failed += 1;
  run.log.error('record.failed', unreadable, { recordId: id });
}

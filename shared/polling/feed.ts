import pMap from 'p-map';

import type { ExportRecord } from '../model/record.ts';
import { recordQueries } from '../store/queries.ts';
import { cursorOf, isReadable, type Stored } from '../store/store.ts';
import { recordFailed } from './defer.ts';
import type { PollRun } from './poll-run.ts';
import { isFailing } from './project-failures.ts';
import { gateOf, resumeThroughGate, roomOf } from './project-gate.ts';

/** Feeding Earth Engine's queue from ours: highest priority first, then oldest, as capacity frees up. */

/** One page of the queue: the records that are sent before the free slots are counted again. */
const PAGE = 100;
const SENDERS = 8;

/** Sends a project's waiting jobs while its gate is open and there is room under MAX_ACTIVE_OPERATIONS. */
export async function feedQueue(run: PollRun, project: string): Promise<void> {
  const { store } = run;
  let after: readonly unknown[] | undefined;
  while (!run.isOver() && !isFailing(run, project, 'feed')) {
    const [first] = await store.records.find(recordQueries.queued(project), {
      limit: 1,
      ...(after ? { after } : {}),
    });
    if (first === undefined) {
      return;
    }
    const gate = await gateOf(run, project);
    gate.room = await roomOf(run, project);
    if (gate.feeding === 'CLOSED' || gate.room <= 0) {
      return;
    }
    const page = await store.records.find(recordQueries.queued(project), {
      limit: Math.min(gate.room, PAGE),
      ...(after ? { after } : {}),
    });
    await pMap(page, (found) => (isReadable(found) ? feedOne(run, found) : reportUnreadable(run, found)), {
      concurrency: SENDERS,
    });
    const last = page.at(-1);
    if (last === undefined) {
      return;
    }
    after = cursorOf(recordQueries.queued(project), last);
  }
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

function reportUnreadable(run: PollRun, { id, unreadable }: { id: string; unreadable: Error }): void {
  run.summary.failed += 1;
  run.log.error('record.failed', unreadable, { recordId: id });
}

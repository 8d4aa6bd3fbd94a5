import pMap from 'p-map';

import { asError } from '../errors.ts';
import { type ExportRecord, isUnsettled } from '../record/record.ts';
import { recordQueries } from '../store/queries.ts';
import { cursorOf, isReadable, type Stored } from '../store/store.ts';
import { endProbe, openGate, startFeeding } from './gate.ts';
import { resume } from './resume.ts';
import { isTroubled, noteHeard, type Run } from './run.ts';

/** Feeding EE's queue from ours: highest priority first, then oldest, as far as there is room. */

/** One page of the queue: what is started before the room is counted again. */
const PAGE = 100;
const SENDERS = 8;

/** Sends a project's waiting jobs while its gate is open and there is room under MAX_ACTIVE_OPERATIONS. */
export async function feedQueue(run: Run, project: string): Promise<void> {
  const { store, config } = run;
  let after: readonly unknown[] | undefined;
  while (!run.isOver() && !isTroubled(run, project)) {
    const [first] = await store.records.find(recordQueries.queued(project), {
      limit: 1,
      ...(after ? { after } : {}),
    });
    if (first === undefined) {
      return;
    }
    const room = config.maxActiveOperations - (await store.records.count(recordQueries.occupying(project)));
    const feeding = room > 0 ? await feedingOf(run, project) : 'CLOSED';
    if (feeding === 'CLOSED') {
      return;
    }
    // A probe goes alone: what it hears decides for the rest.
    const limit = feeding === 'PROBE' ? 1 : Math.min(room, PAGE);
    const page = await store.records.find(recordQueries.queued(project), {
      limit,
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

async function feedOne(run: Run, stored: Stored<ExportRecord>): Promise<void> {
  try {
    await resumeThroughGate(run, stored);
  } catch (error) {
    run.summary.failed += 1;
    run.log.error('record.failed', asError(error), { recordId: stored.id });
  }
}

function reportUnreadable(run: Run, { id, unreadable }: { id: string; unreadable: Error }): void {
  run.summary.failed += 1;
  run.log.error('record.failed', unreadable, { recordId: id });
}

/**
 * Resumes a waiting record if the project's gate lets it through; it stays due otherwise. What only has to be searched
 * for, since it is to be cancelled or rejected, costs EE's queue nothing and passes.
 */
export async function resumeThroughGate(run: Run, stored: Stored<ExportRecord>): Promise<void> {
  const record = stored.value;
  if (isUnsettled(record) && (record.cancelRequestedAt !== undefined || record.rejecting)) {
    await resumeAndCount(run, stored);
    return;
  }
  const feeding = await feedingOf(run, record.project);
  const gate = run.gates.get(record.project);
  if (feeding === 'CLOSED' || gate === undefined) {
    return;
  }
  if (feeding === 'PROBE') {
    // Until the answer is there, nobody else of this run sends.
    gate.feeding = 'CLOSED';
  }
  const heard = await resumeAndCount(run, stored);
  if (heard === 'QUEUE_FULL' || heard === 'RATE_LIMITED') {
    gate.feeding = 'CLOSED';
  } else if (feeding === 'PROBE') {
    await concludeProbe(run, record.project, gate, heard);
  }
}

async function concludeProbe(
  run: Run,
  project: string,
  gate: { feeding: string; readonly token: string },
  heard: 'OPERATION' | 'OUTAGE' | 'PERMISSION' | 'OTHER',
): Promise<void> {
  if (heard === 'OPERATION') {
    await openGate(run, project, gate.token);
    gate.feeding = 'OPEN';
    return;
  }
  await endProbe(run, project, gate.token);
  if (heard === 'OTHER') {
    // The job itself was the matter: the next one probes.
    run.gates.delete(project);
  }
}

async function resumeAndCount(run: Run, stored: Stored<ExportRecord>) {
  const sent = await resume(run, stored);
  noteHeard(run, sent.stored, sent.heard);
  return sent.heard;
}

async function feedingOf(run: Run, project: string) {
  const known = run.gates.get(project);
  if (known) {
    return known.feeding;
  }
  const token = run.newToken();
  const feeding = await startFeeding(run, project, token);
  // Two may ask at once: the first answer stands.
  const first = run.gates.get(project) ?? { feeding, token };
  run.gates.set(project, first);
  return first.feeding;
}

import pMap from 'p-map';

import { type ExportRecord, isInSubmission } from '../model/record.ts';
import { isHeldBack } from '../record/transitions.ts';
import { recordQueries } from '../store/queries.ts';
import { cursorOf, isReadable, type Stored } from '../store/store.ts';
import { endProbe, LOOK_EVERY_MS, openGate, startFeeding } from '../submission/gate.ts';
import { resume } from './resume.ts';
import { isTroubled, countOutcome, type ProjectGate, type PollRun } from './poll-run.ts';
import { recordFailed } from './defer.ts';

/** Feeding EE's queue from ours: highest priority first, then oldest, as far as there is room. */

/** One page of the queue: what is started before the room is counted again. */
const PAGE = 100;
const SENDERS = 8;

/** Sends a project's waiting jobs while its gate is open and there is room under MAX_ACTIVE_OPERATIONS. */
export async function feedQueue(run: PollRun, project: string): Promise<void> {
  const { store } = run;
  let after: readonly unknown[] | undefined;
  while (!run.isOver() && !isTroubled(run, project)) {
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
    // A probe goes alone: what it hears decides for the rest.
    const limit = gate.feeding === 'PROBE' ? 1 : Math.min(gate.room, PAGE);
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

async function feedOne(run: PollRun, stored: Stored<ExportRecord>): Promise<void> {
  try {
    await resumeThroughGate(run, stored);
  } catch (error) {
    await recordFailed(run, stored, error);
  }
}

function reportUnreadable(run: PollRun, { id, unreadable }: { id: string; unreadable: Error }): void {
  run.summary.failed += 1;
  run.log.error('record.failed', unreadable, { recordId: id });
}

/**
 * Resumes a waiting record if the project's gate lets it through; it stays due otherwise. What only has to be searched
 * for, since it is to be cancelled or rejected, costs EE's queue nothing and passes.
 */
export async function resumeThroughGate(run: PollRun, stored: Stored<ExportRecord>): Promise<void> {
  const record = stored.value;
  // With its own account: another account's record may turn out to be sendable, and then needs the gate.
  if (isInSubmission(record) && isHeldBack(record, record.serviceAccount)) {
    await resumeAndCount(run, stored);
    return;
  }
  const gate = await gateOf(run, record.project);
  const { feeding } = gate;
  if (feeding === 'CLOSED' || gate.room <= 0) {
    return;
  }
  gate.room -= 1;
  if (feeding === 'PROBE') {
    // Until the answer is there, nobody else of this run sends.
    gate.feeding = 'CLOSED';
  }
  const sendOutcome = await resumeAndCount(run, stored).catch(async (error: unknown) => {
    if (feeding === 'PROBE') {
      await giveUpProbe(run, record.project, gate);
    }
    throw error;
  });
  if (sendOutcome === 'QUEUE_FULL' || sendOutcome === 'RATE_LIMITED') {
    gate.feeding = 'CLOSED';
  } else if (feeding === 'PROBE') {
    await concludeProbe(run, record.project, gate, sendOutcome);
  }
}

/** Working on the record failed, which says nothing of EE's queue: the next one probes. */
async function giveUpProbe(run: PollRun, project: string, { token }: ProjectGate): Promise<void> {
  run.gates.delete(project);
  await endProbe(run, project, token).catch((failure: unknown) =>
    // Its lease ends by itself.
    run.log.error('gate.probe_not_ended', failure, { project }),
  );
}

async function concludeProbe(
  run: PollRun,
  project: string,
  gate: ProjectGate,
  sendOutcome: 'OPERATION' | 'OUTAGE' | 'PERMISSION' | 'NOT_ASKED' | 'OTHER',
): Promise<void> {
  if (sendOutcome === 'OPERATION') {
    await openGate(run, project, gate.token);
    gate.feeding = 'OPEN';
    return;
  }
  await endProbe(run, project, gate.token);
  if (sendOutcome === 'OTHER' || sendOutcome === 'NOT_ASKED') {
    // The job itself was the matter: the next one probes.
    run.gates.delete(project);
  }
}

async function resumeAndCount(run: PollRun, stored: Stored<ExportRecord>) {
  const sent = await resume(run, stored);
  countOutcome(run, sent.stored, sent.sendOutcome);
  return sent.sendOutcome;
}

/**
 * Asked of the store once per run, and again while it is open, since another instance may close it. No probe is begun that
 * there is no room for.
 */
async function gateOf(run: PollRun, project: string): Promise<ProjectGate> {
  const known = run.gates.get(project);
  const now = run.clock.now();
  if (known) {
    if (known.feeding === 'OPEN' && now.getTime() - known.lookedAt.getTime() >= LOOK_EVERY_MS) {
      known.lookedAt = now;
      const feeding = await startFeeding(run, project, known.token);
      // What one of our own senders heard meanwhile is newer.
      known.feeding = run.gates.get(project)?.feeding === 'OPEN' ? feeding : known.feeding;
    }
    return known;
  }
  const token = run.newToken();
  const room = await roomOf(run, project);
  const feeding = room > 0 ? await startFeeding(run, project, token) : 'CLOSED';
  // Two may ask at once: the first answer stands, unless only the second may probe.
  const first = run.gates.get(project);
  if (first && (first.feeding !== 'CLOSED' || feeding === 'CLOSED')) {
    return first;
  }
  const gate: ProjectGate = { feeding, token, lookedAt: now, room };
  run.gates.set(project, gate);
  return gate;
}

async function roomOf({ store, config }: PollRun, project: string): Promise<number> {
  return config.maxActiveOperations - (await store.records.count(recordQueries.occupying(project)));
}

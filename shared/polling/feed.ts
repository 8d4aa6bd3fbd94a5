import pMap from 'p-map';

import { type ExportRecord, isInSubmission } from '../model/record.ts';
import { isHeldBack } from '../record/transitions.ts';
import { recordQueries } from '../store/queries.ts';
import { cursorOf, isReadable, type Stored } from '../store/store.ts';
import { endProbe, GATE_CACHE_MS, openGate, startFeeding } from '../submission/gate.ts';
import { resume } from './resume.ts';
import { isProjectFailing, countOutcome, type ProjectGate, type PollRun } from './poll-run.ts';
import { recordFailed } from './defer.ts';

/** Feeding Earth Engine's queue from ours: highest priority first, then oldest, as capacity frees up. */

/** One page of the queue: the records that are sent before the free slots are counted again. */
const PAGE = 100;
const SENDERS = 8;

/** Sends a project's waiting jobs while its gate is open and there is room under MAX_ACTIVE_OPERATIONS. */
export async function feedQueue(run: PollRun, project: string): Promise<void> {
  const { store } = run;
  let after: readonly unknown[] | undefined;
  while (!run.isOver() && !isProjectFailing(run, project)) {
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
    // A probe goes alone: its answer decides about the rest.
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
 * Resumes a waiting record if the project's gate lets it through; otherwise it stays due. A record that is only
 * searched for, because it is being canceled or rejected, takes no slot in Earth Engine's queue and always passes.
 */
export async function resumeThroughGate(run: PollRun, stored: Stored<ExportRecord>): Promise<void> {
  const record = stored.value;
  // As seen by its own account: a record of another account may still be sent after a search, and then needs the gate.
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
    // Until the answer arrives, this run sends nothing else.
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

/** Working on the record failed, which shows nothing about Earth Engine's queue: the next record probes. */
async function giveUpProbe(run: PollRun, project: string, { token }: ProjectGate): Promise<void> {
  run.gates.delete(project);
  await endProbe(run, project, token).catch((failure: unknown) =>
    // Its lease ends anyway.
    run.log.error('gate.probe_not_ended', failure, { project }),
  );
}

async function concludeProbe(
  run: PollRun,
  project: string,
  gate: ProjectGate,
  sendOutcome: 'OPERATION' | 'OUTAGE' | 'PERMISSION' | 'NOT_SENT' | 'OTHER',
): Promise<void> {
  if (sendOutcome === 'OPERATION') {
    await openGate(run, project, gate.token);
    gate.feeding = 'OPEN';
    return;
  }
  await endProbe(run, project, gate.token);
  if (sendOutcome === 'OTHER' || sendOutcome === 'NOT_SENT') {
    // The job itself was the problem: the next record probes.
    run.gates.delete(project);
  }
}

async function resumeAndCount(run: PollRun, stored: Stored<ExportRecord>) {
  const sent = await resume(run, stored);
  countOutcome(run, sent.stored, sent.sendOutcome);
  return sent.sendOutcome;
}

/**
 * The project's gate, read once per run, and again from time to time while it is open, since another instance may close
 * it. A probe starts only if there is a slot for it.
 */
async function gateOf(run: PollRun, project: string): Promise<ProjectGate> {
  const known = run.gates.get(project);
  const now = run.clock.now();
  if (known) {
    if (known.feeding === 'OPEN' && now.getTime() - known.lookedAt.getTime() >= GATE_CACHE_MS) {
      known.lookedAt = now;
      const feeding = await startFeeding(run, project, known.token);
      // If one of this run's own senders closed it meanwhile, that is newer.
      known.feeding = run.gates.get(project)?.feeding === 'OPEN' ? feeding : known.feeding;
    }
    return known;
  }
  const token = run.newToken();
  const room = await roomOf(run, project);
  const feeding = room > 0 ? await startFeeding(run, project, token) : 'CLOSED';
  // Two callers may get here at once: the first result stands, unless only the second one may probe.
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

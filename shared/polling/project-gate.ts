import { type ExportRecord, isInSubmission } from '../model/record.ts';
import { isHeldBack } from '../record/transitions.ts';
import { recordQueries } from '../store/queries.ts';
import { cursorOf, isReadable, type Stored } from '../store/store.ts';
import {
  endProbe,
  type Feeding,
  GATE_CACHE_MS,
  openGate,
  readStatus,
  startFeeding,
} from '../submission/gate.ts';
import type { SendOutcome, Sent } from '../submission/send.ts';
import { recordFailed } from './defer.ts';
import { countOutcome, type PollRun } from './poll-run.ts';
import { isFailing, type Purpose } from './project-failures.ts';
import { resume, searchOnly } from './resume.ts';

/** What a run may send of a project: the project's gate, as this run sees it, and its probes. */

export interface ProjectGate {
  feeding: Feeding;
  readonly token: string;
  /** When the gate was last read. An open one is read again soon: another instance may have closed it. */
  lookedAt: Date;
  /** How many more jobs may be sent under MAX_ACTIVE_OPERATIONS. */
  room: number;
  /** Whether a job of the queue was refused for the rate, and is in the queue again. */
  slowed: boolean;
  /** A due record that probes; the others wait for its outcome. */
  probing?: Promise<unknown> | undefined;
}

/**
 * The project's gate, read once per run, and again from time to time while it is open. If its time is over, the head of
 * the queue probes before anything else is sent (rule 14): a due record may have failed for days because of itself, so its
 * outcome must not decide about the queue. Only if the queue is empty, due records probe.
 */
export async function gateOf(run: PollRun, project: string): Promise<ProjectGate> {
  const known = run.gates.get(project);
  if (known) {
    return refreshed(run, project, await known);
  }
  const entering = enter(run, project);
  run.gates.set(project, entering);
  try {
    return await entering;
  } catch (error) {
    // Firestore failed, not the project: the next caller tries again.
    run.gates.delete(project);
    throw error;
  }
}

async function refreshed(run: PollRun, project: string, gate: ProjectGate): Promise<ProjectGate> {
  const now = run.clock.now();
  if (gate.feeding === 'OPEN' && now.getTime() - gate.lookedAt.getTime() >= GATE_CACHE_MS) {
    gate.lookedAt = now;
    const status = await readStatus(run, project);
    run.gate.adoptPace(project, status?.value);
    if (status?.value.closedUntil !== undefined) {
      gate.feeding = 'CLOSED';
    }
  }
  return gate;
}

async function enter(run: PollRun, project: string): Promise<ProjectGate> {
  const token = run.newToken();
  const lookedAt = run.clock.now();
  const room = await roomOf(run, project);
  // A probe starts only if there is a slot for it.
  const started = room > 0 ? await startFeeding(run, project, token) : undefined;
  run.gate.adoptPace(project, started?.status);
  const feeding = started?.feeding ?? 'CLOSED';
  const gate: ProjectGate = { feeding, token, lookedAt, room, slowed: false };
  if (feeding === 'PROBE') {
    await probeFromQueue(run, project, gate);
  }
  return gate;
}

export async function roomOf({ store, config }: PollRun, project: string): Promise<number> {
  return config.maxActiveOperations - (await store.records.count(recordQueries.occupying(project)));
}

/**
 * Sends the queue's records one at a time until an outcome decides about the gate. A record that fails because of itself
 * leaves the queue, and the next one probes.
 */
async function probeFromQueue(run: PollRun, project: string, gate: ProjectGate): Promise<void> {
  const query = recordQueries.queued(project);
  let after: readonly unknown[] | undefined;
  while (gate.feeding === 'PROBE' && !run.isOver() && !isFailing(run, project, 'feed')) {
    const [head] = await run.store.records.find(query, { limit: 1, ...(after ? { after } : {}) });
    if (head === undefined) {
      return;
    }
    after = cursorOf(query, head);
    if (isReadable(head)) {
      const startedAt = run.clock.now();
      await probe(run, head, gate, 'feed').catch((error: unknown) =>
        recordFailed(run, head, error, { purpose: 'feed', startedAt }),
      );
    }
  }
  if (gate.feeding === 'PROBE') {
    await giveUpProbe(run, project, gate);
  }
}

/** Sends one record as the probe. Afterward, the gate is open or closed; if it is still 'PROBE', the next one probes. */
async function probe(
  run: PollRun,
  stored: Stored<ExportRecord>,
  gate: ProjectGate,
  purpose: Purpose,
): Promise<void> {
  const { project } = stored.value;
  const sendOutcome = await resumeAndCount(run, stored, purpose);
  switch (sendOutcome) {
    case 'OPERATION':
      await openGate(run, project, gate.token);
      gate.feeding = 'OPEN';
      gate.room -= 1;
      return;
    case 'QUEUE_FULL':
    case 'RATE_LIMITED':
      // Closing the gate ended the probe.
      gate.feeding = 'CLOSED';
      return;
    case 'NOT_SENT':
    case 'PERMISSION':
    case 'OUTAGE':
    case 'SLOWED':
    case 'OTHER':
  }
}

/** Nothing was learned about Earth Engine's queue in this run: another process, or the next run, may probe. */
async function giveUpProbe(run: PollRun, project: string, gate: ProjectGate): Promise<void> {
  gate.feeding = 'CLOSED';
  await endProbe(run, project, gate.token).catch((failure: unknown) =>
    // Its lease ends anyway.
    run.log.error('gate.probe_not_ended', failure, { project }),
  );
}

/**
 * Resumes a waiting record if the project's gate lets it through; otherwise it stays due. A record that is only
 * searched for, because it is being canceled or rejected, takes no slot in Earth Engine's queue and always passes.
 *
 * @returns whether the gate let it through
 */
export async function resumeThroughGate(
  run: PollRun,
  stored: Stored<ExportRecord>,
  purpose: Purpose,
): Promise<boolean> {
  const record = stored.value;
  // As seen by its own account: a record of another account may still be sent after a search, and then needs the gate.
  if (isInSubmission(record) && isHeldBack(record, record.serviceAccount)) {
    await resumeAndCount(run, stored, purpose);
    return true;
  }
  const gate = await gateOf(run, record.project);
  while (gate.probing) {
    await gate.probing;
  }
  if (gate.feeding === 'CLOSED' || gate.room <= 0) {
    return searchWithoutSlot(run, stored, purpose);
  }
  if (gate.feeding === 'PROBE') {
    if (isFailing(run, record.project, purpose)) {
      await giveUpProbe(run, record.project, gate);
      return false;
    }
    await probeInTurn(run, stored, gate, purpose);
    return true;
  }
  gate.room -= 1;
  const sendOutcome = await resumeAndCount(run, stored, purpose);
  gate.slowed ||= sendOutcome === 'SLOWED';
  if (sendOutcome === 'QUEUE_FULL' || sendOutcome === 'RATE_LIMITED') {
    gate.feeding = 'CLOSED';
  }
  return true;
}

/** @returns whether the record only needs a search, which takes no slot */
async function searchWithoutSlot(
  run: PollRun,
  stored: Stored<ExportRecord>,
  purpose: Purpose,
): Promise<boolean> {
  const record = stored.value;
  if (record.state !== 'WAITING' || record.waitingFor !== 'ADOPTION') {
    return false;
  }
  await workAndCount(run, purpose, () => searchOnly(run, { ...stored, value: record }));
  return true;
}

async function probeInTurn(
  run: PollRun,
  stored: Stored<ExportRecord>,
  gate: ProjectGate,
  purpose: Purpose,
): Promise<void> {
  const probing = probe(run, stored, gate, purpose);
  gate.probing = probing.catch(() => undefined);
  try {
    await probing;
  } finally {
    gate.probing = undefined;
  }
}

/** Ends a probe that no record of this run has used, rather than let its lease keep others from probing. */
export async function endUnusedProbes(run: PollRun): Promise<void> {
  for (const [project, entering] of run.gates) {
    const gate = await entering.catch(() => undefined);
    if (gate?.feeding === 'PROBE') {
      await giveUpProbe(run, project, gate);
    }
  }
}

/** Resumes a record, and counts what came of it. */
export const resumeAndCount = (
  run: PollRun,
  stored: Stored<ExportRecord>,
  purpose: Purpose,
): Promise<SendOutcome> => workAndCount(run, purpose, () => resume(run, stored));

async function workAndCount(run: PollRun, purpose: Purpose, work: () => Promise<Sent>): Promise<SendOutcome> {
  const startedAt = run.clock.now();
  const sent = await work();
  countOutcome(run, sent.stored, sent.sendOutcome, purpose, startedAt);
  return sent.sendOutcome;
}

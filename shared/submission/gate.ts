import { type BudgetWatch, createBudgetWatch } from '../budget/watch.ts';
import { later, SECOND_MS } from '../clock.ts';
import { StaleWriteError } from '../errors.ts';
import type { QueueReason } from '../model/record.ts';
import { backoffMs } from '../record/policy.ts';
import { quotaRetryAt } from '../record/quota.ts';
import type { Pace } from '../earth-engine/pace.ts';
import type { Services } from '../services.ts';
import { recordQueries } from '../store/queries.ts';
import { isReadable, type Stored } from '../store/store.ts';
import type { ProjectStatus } from '../model/project-status.ts';
import { afterResponse, lacksMarker } from './marker.ts';
import { createPaces } from './paces.ts';

/**
 * Whether a project's jobs may be sent now, and how fast: the gate is a circuit breaker per project, and a probe is its
 * half-open state. It closes for a full queue, and if 429s persist; other 429s only slow the project's calls down. When Earth Engine refuses one instance, the others know within GATE_CACHE_MS; what they send until then is
 * refused too. The gate's document also has what else is known about a project: whether its operations have the marker, and
 * its quota status, and the pace of its calls.
 */

export const GATE_CACHE_MS = 5 * SECOND_MS;

/** A new job that would wait longer than this for its turn waits in the queue instead, where an instance does not wait. */
const LONGEST_TURN_MS = 5 * SECOND_MS;
/** If Earth Engine asks for a longer pause than this, the gate closes for it, so that no run waits for it. */
const LONGEST_PAUSE_MS = 10 * SECOND_MS;

/** Whether a new job may be sent at once; if not, why it waits, and until when at least. */
export type Admission = { readonly send: true } | { readonly waitingFor: QueueReason; readonly dueAt: Date };

export interface Gate {
  /** For a new job: checks the gate, the records that already wait, and the free slots, at most every GATE_CACHE_MS. */
  admit(project: string): Promise<Admission>;
  /** Earth Engine accepts no more. Ends a probe that is under way. */
  close(project: string, reason: QueueReason, retryAfterMs: number | undefined): Promise<void>;
  /** How fast the project's calls are sent. */
  pace(project: string): Pace;
  /** Continues from the pace that another process stored. */
  adoptPace(project: string, status: ProjectStatus | undefined): void;
  /** A call was refused because of the rate: tells the other processes how fast this one sends now. */
  sharePace(project: string): Promise<void>;
  /** The same for all projects to which much was sent. */
  shareAllPaces(): Promise<void>;
  /**
   * A claim ended because calls were refused for the rate. The job waits in the queue. The gate closes if that persists, if
   * Earth Engine asks for a long pause, or if the job was a probe.
   *
   * @returns whether the gate is closed
   */
  refuseRate(project: string, retryAfterMs: number | undefined): Promise<boolean>;
  /** An operation came back with or without the marker in its description. Without, searches are inconclusive (rule 5). */
  noteMarker(project: string, operation: string, echoed: boolean): Promise<void>;
  /** Whether a budget holds a job. */
  readonly budgets: BudgetWatch;
}

type GateServices = Pick<Services, 'store' | 'publisher' | 'config' | 'policy' | 'clock' | 'random' | 'log'>;

/** What an instance read, and uses for GATE_CACHE_MS. */
interface View {
  readonly at: Date;
  readonly closed: Admission | undefined;
  readonly markerMissing: boolean;
  /** How many more jobs this instance may send until it reads again. */
  room: number;
}

export function createGate(services: GateServices): Gate {
  const { config, clock } = services;
  const views = new Map<string, Promise<View>>();
  const paces = createPaces(services, (project, change) => changeStatus(services, project, change));

  const read = async (project: string): Promise<View> => {
    const at = clock.now();
    const [status, queued, occupied] = await Promise.all([
      readStatus(services, project),
      // Two, since one may be an unreadable record, which holds nothing up.
      services.store.records.find(recordQueries.queued(project), { limit: 2 }),
      services.store.records.count(recordQueries.occupying(project)),
    ]);
    paces.adopt(project, status?.value);
    const retryAt = later(at, config.retryMinMs);
    const closed: Admission | undefined =
      status?.value.closedUntil !== undefined
        ? { waitingFor: status.value.closedFor ?? 'QUEUE', dueAt: status.value.closedUntil }
        : queued.some(isReadable)
          ? { waitingFor: 'QUEUE', dueAt: retryAt }
          : undefined;
    const markerMissing = lacksMarker(status?.value);
    return { at, closed, markerMissing, room: config.maxActiveOperations - occupied };
  };

  const recent = async (project: string): Promise<View> => {
    const known = views.get(project);
    if (known) {
      const latest = await known.catch(() => undefined);
      if (latest && clock.now().getTime() - latest.at.getTime() < GATE_CACHE_MS) {
        return latest;
      }
      if (views.get(project) !== known) {
        return recent(project);
      }
    }
    const reading = read(project);
    views.set(project, reading);
    return reading;
  };

  const show = async (project: string, closed: Admission): Promise<void> => {
    const markerMissing = (await views.get(project)?.catch(() => undefined))?.markerMissing ?? false;
    views.set(project, Promise.resolve({ at: clock.now(), closed, markerMissing, room: 0 }));
  };

  return {
    budgets: createBudgetWatch(services),
    admit: async (project) => {
      const seen = await recent(project);
      if (seen.closed) {
        return seen.closed;
      }
      const waitMs = paces.of(project).waitMs();
      if (waitMs > LONGEST_TURN_MS) {
        return { waitingFor: 'RATE', dueAt: later(clock.now(), waitMs) };
      }
      if (seen.room <= 0) {
        return { waitingFor: 'QUEUE', dueAt: later(clock.now(), config.retryMinMs) };
      }
      seen.room -= 1;
      return { send: true };
    },
    close: async (project, reason, retryAfterMs) => {
      const closedUntil = await closeGate(services, project, reason, retryAfterMs, true);
      await show(project, { waitingFor: reason, dueAt: closedUntil ?? clock.now() });
    },
    pace: paces.of,
    adoptPace: paces.adopt,
    sharePace: paces.share,
    shareAllPaces: paces.shareAll,
    refuseRate: async (project, retryAfterMs) => {
      const pace = paces.of(project);
      const persists = pace.isRefusedPersistently() || (retryAfterMs ?? 0) > LONGEST_PAUSE_MS;
      const closedUntil = await closeGate(services, project, 'RATE', retryAfterMs, persists);
      if (closedUntil === undefined) {
        await show(project, { waitingFor: 'QUEUE', dueAt: later(clock.now(), config.retryMinMs) });
        return false;
      }
      if (persists) {
        pace.resume();
      }
      await show(project, { waitingFor: 'RATE', dueAt: closedUntil });
      return true;
    },
    noteMarker: async (project, operation, echoed) => {
      const seen = await recent(project);
      // Written only if it changed: the usual case, in which the marker is echoed, must cost nothing.
      if (echoed !== seen.markerMissing) {
        return;
      }
      await changeStatus(services, project, (status, now) => {
        const next = afterResponse(status, operation, echoed, now);
        if (next) {
          services.log.warning('project.marker', { project, echoed });
        }
        return next;
      });
      views.delete(project);
    },
  };
}

/** The project's stored status; undefined if the project never had a problem. */
export async function readStatus(
  { store }: Pick<Services, 'store'>,
  project: string,
): Promise<Stored<ProjectStatus> | undefined> {
  const found = await store.projects.get(project);
  if (found && !isReadable(found)) {
    throw found.unreadable;
  }
  return found;
}

/**
 * Changes a project's current status.
 *
 * @param change returns undefined if there is nothing to change
 * @returns the status afterwards
 */
export async function changeStatus(
  services: Pick<Services, 'store' | 'clock'>,
  project: string,
  change: (status: ProjectStatus, now: Date) => ProjectStatus | undefined,
): Promise<ProjectStatus> {
  for (;;) {
    const now = services.clock.now();
    const stored = await readStatus(services, project);
    const current = stored?.value ?? { closures: 0, updatedAt: now };
    const next = change(current, now);
    if (next === undefined) {
      return current;
    }
    const written = { ...next, updatedAt: now };
    try {
      if (stored) {
        await services.store.projects.replace(stored, written);
        return written;
      }
      if ('created' in (await services.store.projects.create(project, written))) {
        return written;
      }
    } catch (error) {
      if (!(error instanceof StaleWriteError)) {
        throw error;
      }
    }
  }
}

/**
 * Closes the gate. Many senders may be refused at the same time: only the first one doubles the wait.
 *
 * @param always false if an open gate stays open: only a probe closes it again
 * @returns until when; undefined if it is open
 */
async function closeGate(
  services: GateServices,
  project: string,
  reason: QueueReason,
  retryAfterMs: number | undefined,
  always: boolean,
): Promise<Date | undefined> {
  const { policy, random, log } = services;
  const status = await changeStatus(services, project, (current, now) => {
    const stillClosed =
      current.closedUntil !== undefined && current.closedUntil > now && current.probe === undefined;
    if (stillClosed || (!always && current.closedUntil === undefined)) {
      return undefined;
    }
    const closedUntil =
      reason === 'QUOTA'
        ? quotaRetryAt(policy, current.closures, { now, random: random() })
        : later(now, backoffMs(policy, current.closures, retryAfterMs, random()));
    log.warning('gate.closed', { project, reason, closedUntil: closedUntil.toISOString() });
    const { probe: _ended, ...rest } = current;
    return { ...rest, closedUntil, closedFor: reason, closures: current.closures + 1 };
  });
  return status.closedUntil;
}

/** How much of a project's queue the poller may send now: all that fits, one record, or nothing. */
export type Feeding = 'OPEN' | 'PROBE' | 'CLOSED';

/**
 * Whether the poller may send from the queue. When the closing time is over, one probe decides: it belongs to the
 * process that gets the lease, so a prober that dies loses it (rule 14).
 */
export async function startFeeding(
  services: GateServices,
  project: string,
  token: string,
): Promise<{ readonly feeding: Feeding; readonly status: ProjectStatus }> {
  let feeding: Feeding = 'OPEN';
  const current = await changeStatus(services, project, (status, now) => {
    if (status.closedUntil === undefined) {
      feeding = 'OPEN';
      return undefined;
    }
    if (
      status.closedUntil > now ||
      (status.probe && status.probe.leaseUntil > now && status.probe.token !== token)
    ) {
      feeding = 'CLOSED';
      return undefined;
    }
    feeding = 'PROBE';
    return { ...status, probe: { token, leaseUntil: later(now, services.config.submitLeaseMs) } };
  });
  return { feeding, status: current };
}

/** Earth Engine accepted the probe: everything may be sent again. */
export async function openGate(services: GateServices, project: string, token: string): Promise<void> {
  await changeStatus(services, project, (status) => {
    if (status.probe?.token !== token) {
      return undefined;
    }
    services.log.info('gate.opened', { project });
    const { probe: _ended, closedUntil: _until, closedFor: _for, ...rest } = status;
    return { ...rest, closures: 0 };
  });
}

/** The probe showed nothing about the queue (its job was refused, or got no answer): another process may probe. */
export async function endProbe(services: GateServices, project: string, token: string): Promise<void> {
  await changeStatus(services, project, (status) => {
    if (status.probe?.token !== token) {
      return undefined;
    }
    const { probe: _ended, ...rest } = status;
    return rest;
  });
}

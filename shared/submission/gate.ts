import { later, SECOND_MS } from '../clock.ts';
import type { EarthEngineObserver } from '../earth-engine/api.ts';
import { StaleWriteError } from '../errors.ts';
import { backoffMs } from '../record/policy.ts';
import type { Services } from '../services.ts';
import { recordQueries } from '../store/queries.ts';
import { isReadable, type Stored } from '../store/store.ts';
import type { ProjectStatus } from '../model/project-status.ts';

/**
 * Whether a project's jobs may be sent now. What one instance hears from EE, all others know within LOOK_EVERY_MS: the
 * price is that they start what they start in that time.
 */

export const LOOK_EVERY_MS = 5 * SECOND_MS;

export type QueueReason = 'QUEUE' | 'RATE';

/** May a new job be sent at once, or does it wait, and until when at least? */
export type Admission = { readonly send: true } | { readonly waitingFor: QueueReason; readonly dueAt: Date };

export interface Gate {
  /** For a new job: looks at the gate, at who waits already and at the room left, at most every LOOK_EVERY_MS. */
  admit(project: string): Promise<Admission>;
  /** EE said that it takes no more. Ends a probe that was under way. */
  close(project: string, reason: QueueReason, retryAfterMs: number | undefined): Promise<void>;
  /** An operation came back with or without the marker in its description: without, no id may be given up (rule 5). */
  noteMarker(project: string, echoed: boolean): Promise<void>;
}

type GateServices = Pick<Services, 'store' | 'config' | 'policy' | 'clock' | 'random' | 'log'>;

interface Look {
  readonly at: Date;
  readonly closed: Admission | undefined;
  readonly markerMissing: boolean;
  /** How many more this instance may start until it looks again. */
  room: number;
}

export function createGate(services: GateServices): Gate {
  const { config, clock } = services;
  const looks = new Map<string, Promise<Look>>();

  const look = async (project: string): Promise<Look> => {
    const at = clock.now();
    const [status, queued, occupied] = await Promise.all([
      readStatus(services, project),
      // Two, since one may be a record that cannot be read, for which nobody waits.
      services.store.records.find(recordQueries.queued(project), { limit: 2 }),
      services.store.records.count(recordQueries.occupying(project)),
    ]);
    const retryAt = later(at, config.retryMinMs);
    const closed: Admission | undefined =
      status?.value.closedUntil !== undefined
        ? { waitingFor: status.value.closedFor ?? 'QUEUE', dueAt: status.value.closedUntil }
        : queued.some(isReadable)
          ? { waitingFor: 'QUEUE', dueAt: retryAt }
          : undefined;
    const markerMissing = status?.value.markerMissingAt !== undefined;
    return { at, closed, markerMissing, room: config.maxActiveOperations - occupied };
  };

  const recent = async (project: string): Promise<Look> => {
    const known = looks.get(project);
    if (known) {
      const latest = await known.catch(() => undefined);
      if (latest && clock.now().getTime() - latest.at.getTime() < LOOK_EVERY_MS) {
        return latest;
      }
      if (looks.get(project) !== known) {
        return recent(project);
      }
    }
    const looking = look(project);
    looks.set(project, looking);
    return looking;
  };

  return {
    admit: async (project) => {
      const seen = await recent(project);
      if (seen.closed) {
        return seen.closed;
      }
      if (seen.room <= 0) {
        return { waitingFor: 'QUEUE', dueAt: later(clock.now(), config.retryMinMs) };
      }
      seen.room -= 1;
      return { send: true };
    },
    close: async (project, reason, retryAfterMs) => {
      const closedUntil = await closeGate(services, project, reason, retryAfterMs);
      const closed: Admission = { waitingFor: reason, dueAt: closedUntil };
      const markerMissing = (await looks.get(project)?.catch(() => undefined))?.markerMissing ?? false;
      looks.set(project, Promise.resolve({ at: clock.now(), closed, markerMissing, room: 0 }));
    },
    noteMarker: async (project, echoed) => {
      const seen = await recent(project);
      // Written where it is news: the usual case, echoed and known to be, must cost nothing.
      if (echoed !== seen.markerMissing) {
        return;
      }
      await changeStatus(services, project, (status, now) => {
        const { markerMissingAt, ...rest } = status;
        if (echoed === (markerMissingAt === undefined)) {
          return undefined;
        }
        services.log.warning('project.marker', { project, echoed });
        return echoed ? rest : { ...rest, markerMissingAt: now };
      });
      looks.delete(project);
    },
  };
}

/** The project's status as stored; undefined where nothing was ever wrong with it. */
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

/** Whether EE was seen not to echo the marker: then that a search finds nothing says nothing (rule 5). */
export async function isMarkerMissing(services: Pick<Services, 'store'>, project: string): Promise<boolean> {
  return (await readStatus(services, project))?.value.markerMissingAt !== undefined;
}

/**
 * Changes a project's status, on what it is now.
 *
 * @param change undefined where nothing is to be done
 * @returns the status after it
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

/** Closes the gate. Many senders hear the same «no»: only the first of them doubles the wait. */
async function closeGate(
  services: GateServices,
  project: string,
  reason: QueueReason,
  retryAfterMs: number | undefined,
): Promise<Date> {
  const { policy, random, log } = services;
  const status = await changeStatus(services, project, (current, now) => {
    const stillClosed =
      current.closedUntil !== undefined && current.closedUntil > now && current.probe === undefined;
    if (stillClosed) {
      return undefined;
    }
    const waitMs = backoffMs(policy, current.closures, retryAfterMs, random());
    const closedUntil = later(now, waitMs);
    log.warning('gate.closed', { project, reason, closedUntil: closedUntil.toISOString() });
    const { probe: _ended, ...rest } = current;
    return { ...rest, closedUntil, closedFor: reason, closures: current.closures + 1 };
  });
  return status.closedUntil ?? services.clock.now();
}

/** What the poller may do with a project's queue now. */
export type Feeding = 'OPEN' | 'PROBE' | 'CLOSED';

/**
 * Whether the queue may be fed. A gate whose time is over is opened by one probe: it belongs to whoever gets the lease,
 * and a prober that died gives it up with that (rule 14).
 */
export async function startFeeding(services: GateServices, project: string, token: string): Promise<Feeding> {
  let feeding: Feeding = 'OPEN';
  await changeStatus(services, project, (status, now) => {
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
  return feeding;
}

/** The probe was taken: everything may be sent again. */
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

/** The probe said nothing of the queue (the job itself was refused, or EE did not answer): the next one may try. */
export async function endProbe(services: GateServices, project: string, token: string): Promise<void> {
  await changeStatus(services, project, (status) => {
    if (status.probe?.token !== token) {
      return undefined;
    }
    const { probe: _ended, ...rest } = status;
    return rest;
  });
}

/**
 * Keeps what EE's answers say of a project's quota (`X-Earth-Engine-Quota-Status`): written and logged when it changes,
 * not with every answer.
 */
export function createQuotaWatch(services: Pick<Services, 'store' | 'clock' | 'log'>): EarthEngineObserver {
  const known = new Map<string, boolean>();
  const note = async (project: string, restricted: boolean): Promise<void> => {
    await changeStatus(services, project, (status, now) => {
      const { parallelismRestrictedAt, ...rest } = status;
      if (restricted === (parallelismRestrictedAt !== undefined)) {
        return undefined;
      }
      services.log.warning('project.parallelism', { project, restricted });
      return restricted ? { ...rest, parallelismRestrictedAt: now } : rest;
    });
  };
  return {
    quotaStatus: (project, restricted) => {
      if (known.get(project) !== restricted) {
        known.set(project, restricted);
        note(project, restricted).catch((error: unknown) => {
          known.delete(project);
          services.log.error('project.not_noted', error, { project });
        });
      }
    },
  };
}

import type { EarthEngineObserver } from '../earth-engine/api.ts';
import type { ProjectStatus } from '../model/project-status.ts';
import { pacificMonth, restrictedSince } from '../record/quota.ts';
import type { Services } from '../services.ts';
import { changeStatus } from './gate.ts';

/**
 * Restricted mode: a project that has used up its noncommercial quota of the month runs fewer exports at once. Earth Engine
 * reports that in a header of its responses (`X-Earth-Engine-Quota-Status`) and nowhere else.
 */

const EVENT_TIMEOUT_MS = 2000;

type WatchServices = Pick<Services, 'store' | 'clock' | 'log' | 'config' | 'publisher'>;

/** Stores a change of a project's quota status, logs it, and publishes an event. */
export function createQuotaWatch(services: WatchServices): EarthEngineObserver {
  /** What each project's status says, as far as this process knows. A restriction is noted again each month. */
  const known = new Map<string, string>();
  return {
    quotaStatus: (project, restricted) => {
      const seen = restricted ? pacificMonth(services.clock.now()) : 'unrestricted';
      if (known.get(project) === seen) {
        return;
      }
      known.set(project, seen);
      noteRestriction(services, project, restricted).catch((error: unknown) => {
        // The next response tries again.
        known.delete(project);
        services.log.error('project.status_not_saved', error, { project });
      });
    },
  };
}

async function noteRestriction(services: WatchServices, project: string, restricted: boolean): Promise<void> {
  const status = await changeStatus(services, project, (current, now) => {
    if (restricted === (restrictedSince(current, now) !== undefined)) {
      return undefined;
    }
    services.log.warning('project.parallelism', { project, restricted });
    const { parallelismRestrictedAt: _before, ...rest } = current;
    return {
      ...rest,
      ...(restricted ? { parallelismRestrictedAt: now } : {}),
      owesEvent: { state: restricted ? 'RESTRICTED' : 'UNRESTRICTED', at: now },
    };
  });
  if (status.owesEvent) {
    await publishEvent(services, project, status.owesEvent);
  }
}

/** A crash in between repeats it with the same eventId. @throws Error if the topic does not accept it */
async function publishEvent(
  services: WatchServices,
  project: string,
  { state, at }: NonNullable<ProjectStatus['owesEvent']>,
): Promise<void> {
  const { publisher, config } = services;
  const message = {
    data: Buffer.from(JSON.stringify({ project, state, at })),
    attributes: { eventId: `${project}:${at.toISOString()}:${state}`, kind: 'PROJECT', project, state },
  };
  const [outcome] = await publisher.publish(config.topics.events, [message], EVENT_TIMEOUT_MS);
  if (outcome && 'error' in outcome) {
    throw outcome.error;
  }
  await changeStatus(services, project, ({ owesEvent, ...rest }) =>
    owesEvent?.at.getTime() === at.getTime() ? rest : undefined,
  );
}

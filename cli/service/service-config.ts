import type { Config } from '../../shared/config.ts';
import { type ServiceSettings, SETTINGS_ID } from '../../shared/model/service-settings.ts';
import { isReadable, type Store } from '../../shared/store/store.ts';
import type { Environment } from './contexts.ts';

/** Reads what the service has stored of its settings; nothing if it has not run yet, or is of an earlier version. */
export async function readServiceConfig(
  config: Config,
  { settings }: Pick<Store, 'settings'>,
  environment: Environment,
): Promise<Config> {
  const found = await settings.get(SETTINGS_ID);
  return withServiceSettings(config, found && isReadable(found) ? found.value : undefined, environment);
}

/**
 * The settings of the service in use. They come from the service itself; a variable that is set in the environment wins.
 * What is known in neither way is not checked here: the service checks every message in any case.
 */
function withServiceSettings(
  config: Config,
  settings: ServiceSettings | undefined,
  environment: Environment,
): Config {
  const known = <T>(variable: string, own: T, stored: T | undefined, otherwise: T): T =>
    environment[variable] ? own : (stored ?? otherwise);
  const { topics } = config;
  const stored = settings?.topics;
  return {
    ...config,
    earthEngineProject: known(
      'EARTHENGINE_PROJECT',
      config.earthEngineProject,
      settings?.earthEngineProject,
      config.earthEngineProject,
    ),
    allowedProjects: known('ALLOWED_PROJECTS', config.allowedProjects, settings?.allowedProjects, ['*']),
    allowedDestinations: known(
      'ALLOWED_DESTINATIONS',
      config.allowedDestinations,
      settings?.allowedDestinations,
      ['*'],
    ),
    retentionDays: known(
      'RETENTION_DAYS',
      config.retentionDays,
      settings?.retentionDays,
      config.retentionDays,
    ),
    submitDeadlineMs: known(
      'SUBMIT_DEADLINE_HOURS',
      config.submitDeadlineMs,
      settings?.submitDeadlineMs,
      config.submitDeadlineMs,
    ),
    maxActiveOperations: known(
      'MAX_ACTIVE_OPERATIONS',
      config.maxActiveOperations,
      settings?.maxActiveOperations,
      config.maxActiveOperations,
    ),
    videoCheck: known('VIDEO_CHECK', config.videoCheck, settings?.videoCheck, config.videoCheck),
    topics: {
      jobs: known('JOBS_TOPIC', topics.jobs, stored?.jobs, topics.jobs),
      batches: known('BATCHES_TOPIC', topics.batches, stored?.batches, topics.batches),
      cancellations: known(
        'CANCELLATIONS_TOPIC',
        topics.cancellations,
        stored?.cancellations,
        topics.cancellations,
      ),
      events: known('EVENTS_TOPIC', topics.events, stored?.events, topics.events),
      // No client publishes to it.
      polls: topics.polls,
      deadLetters: known('DEAD_LETTER_TOPIC', topics.deadLetters, stored?.deadLetters, topics.deadLetters),
    },
  };
}

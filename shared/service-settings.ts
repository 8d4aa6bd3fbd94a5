import { isDeepStrictEqual } from 'node:util';

import type { Config } from './config.ts';
import { StaleWriteError } from './errors.ts';
import { type ServiceSettings, SETTINGS_ID } from './model/service-settings.ts';
import type { Services } from './services.ts';
import { isReadable } from './store/store.ts';

/** What the service tells its clients about its settings: nothing secret, and no address. */
const publishedSettings = ({
  // Only the service publishes to this topic.
  topics: { polls: _polls, ...topics },
  ...config
}: Config): Omit<ServiceSettings, 'updatedAt'> => ({
  earthEngineProject: config.earthEngineProject,
  allowedProjects: [...config.allowedProjects],
  allowedDestinations: [...config.allowedDestinations],
  topics,
  retentionDays: config.retentionDays,
  maxActiveOperations: config.maxActiveOperations,
  submitDeadlineMs: config.submitDeadlineMs,
  videoCheck: config.videoCheck,
});

/** Stores this deployment's settings, unless they are stored already. Never throws: no job depends on them. */
export async function storeSettings({
  config,
  store,
  clock,
  log,
}: Pick<Services, 'config' | 'store' | 'clock' | 'log'>): Promise<void> {
  try {
    const found = await store.settings.get(SETTINGS_ID);
    const next = { ...publishedSettings(config), updatedAt: clock.now() };
    if (!found) {
      await store.settings.create(SETTINGS_ID, next);
    } else if (!isReadable(found)) {
      throw found.unreadable;
    } else if (!isDeepStrictEqual({ ...next, updatedAt: found.value.updatedAt }, found.value)) {
      await store.settings.replace(found, next);
    } else {
      return;
    }
    log.info('settings.stored');
  } catch (error) {
    // Another instance wrote them meanwhile: it has the same settings, or newer ones.
    if (!(error instanceof StaleWriteError)) {
      log.warning('settings.not_stored', { error: String(error) });
    }
  }
}

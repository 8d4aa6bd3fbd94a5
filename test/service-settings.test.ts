import { describe, expect, it } from 'vitest';

import { readConfig } from '../shared/config.ts';
import type { ServiceSettings } from '../shared/model/service-settings.ts';
import { storeSettings } from '../shared/service-settings.ts';
import type { Services } from '../shared/services.ts';
import { isReadable } from '../shared/store/store.ts';
import { createHarness } from './harness.ts';

/** The services of a deployment with these variables. */
function deployed(variables: Readonly<Record<string, string>> = {}) {
  const harness = createHarness();
  const config = readConfig({ GOOGLE_CLOUD_PROJECT: 'my-project', ...variables });
  return { ...harness.services, config };
}

async function stored({ store }: Pick<Services, 'store'>): Promise<ServiceSettings | undefined> {
  const found = await store.settings.get('service');
  return found && isReadable(found) ? found.value : undefined;
}

describe('the settings for clients', () => {
  it('have the rules for jobs and the topics, and neither addresses nor credentials', async () => {
    const services = deployed({ ALLOWED_DESTINATIONS: 'gs://a/*,drive:*', JOBS_TOPIC: 'our-jobs' });
    await storeSettings(services);
    expect(await stored(services)).toEqual({
      earthEngineProject: 'my-project',
      allowedProjects: ['my-project'],
      allowedDestinations: ['gs://a/*', 'drive:*'],
      topics: expect.objectContaining({ jobs: 'our-jobs' }) as object,
      retentionDays: 90,
      maxActiveOperations: 2700,
      submitDeadlineMs: 72 * 3_600_000,
      videoCheck: 'reject',
      updatedAt: services.clock.now(),
    });
  });

  it('are written again only if one changed', async () => {
    const services = deployed();
    await storeSettings(services);
    const before = await services.store.settings.get('service');
    await storeSettings(services);
    expect(await services.store.settings.get('service')).toEqual(before);

    const config = readConfig({ GOOGLE_CLOUD_PROJECT: 'my-project', RETENTION_DAYS: '31' });
    await storeSettings({ ...services, config });
    expect(await stored(services)).toMatchObject({ retentionDays: 31 });
  });

  it('never fail the poll that stores them', async () => {
    const services = deployed();
    const failing = { ...services.store.settings, get: () => Promise.reject(new Error('no database')) };
    await expect(
      storeSettings({ ...services, store: { ...services.store, settings: failing } }),
    ).resolves.toBeUndefined();
  });
});

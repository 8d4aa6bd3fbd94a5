import { assets } from 'page:assets';

import { createPage, type Page, type PageServices } from '../../../page/server/app.ts';
import { createCloudStorage } from '../../../shared/storage/client.ts';

/** The page, for a service in this process. It is bundled, as Node cannot run its components as they are. */
export const createLocalPage = (services: Omit<PageServices, 'assets' | 'storage'>): Page =>
  createPage({
    ...services,
    assets,
    storage: async () =>
      createCloudStorage({
        projectId: services.config.googleCloudProject,
        emulatorHost: services.config.storageEmulatorHost,
      }),
  });

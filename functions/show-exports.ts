import type { HttpFunction } from '@google-cloud/functions-framework';

import { systemClock } from '../shared/clock.ts';
import type { Page } from '../page/server/app.ts';
import { leaveDomain } from './http.ts';
import { config, drain, loadStorage, loadStore, log } from './runtime.ts';

let page: Promise<Page> | undefined;

/** The read-only page that shows exports. Only people whom IAM lets through reach it. */
export const showExports: HttpFunction = async (request, response) => {
  leaveDomain();
  if (drain.isDraining()) {
    response.status(503).end();
    return;
  }
  await (await loadPage()).handle(request, response);
};

/** The page, and Firestore's client, load with the first request. */
export function loadPage(): Promise<Page> {
  page ??= createThePage().catch((error: unknown) => {
    page = undefined;
    throw error;
  });
  return page;
}

async function createThePage(): Promise<Page> {
  const [{ createPage }, { assets }, store] = await Promise.all([
    import('../page/server/app.ts'),
    import('page:assets'),
    loadStore(),
  ]);
  return createPage({
    store,
    config,
    clock: systemClock,
    log,
    assets,
    stopping: drain.stopping,
    storage: loadStorage,
  });
}

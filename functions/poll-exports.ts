import { pollExports as poll } from '../shared/polling/poll.ts';
import { storeSettings } from '../shared/service-settings.ts';
import { onPost } from './http.ts';

let storing: Promise<void> | undefined;

/**
 * Called by Cloud Scheduler: handles the records that are due, and records what has changed at Earth Engine. The first call
 * of an instance also stores the settings, beside its other work: no message waits for that.
 */
export const pollExports = onPost(async ({ services, gate }) => {
  storing ??= storeSettings(services);
  const [summary] = await Promise.all([poll(services, gate), storing]);
  return summary;
});

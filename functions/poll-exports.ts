import { parseEnvelope } from '../shared/message/envelope.ts';
import { pollExports as poll } from '../shared/polling/poll.ts';
import { namesProject, pollProject } from '../shared/polling/poll-project.ts';
import { storeSettings } from '../shared/service-settings.ts';
import { onPost } from './http.ts';
import { NoTurnError } from './turns.ts';

let storing: Promise<void> | undefined;

/**
 * Called by Cloud Scheduler: handles the records that are due, and records what has changed at Earth Engine. If there are
 * many projects, it publishes a message for each, which is pushed to this function too. The first whole poll of an instance also
 * stores the settings, beside its other work: no message waits for that.
 */
export const pollExports = onPost(async ({ services, gate }, request) => {
  const { headers, rawBody } = request;
  const envelope = parseEnvelope({ headers, body: request.body as unknown, rawBody });
  // Whatever else a message has, a whole poll is the right answer to a call of this function.
  if (envelope === undefined || !namesProject(envelope)) {
    storing ??= storeSettings(services);
    const [summary] = await Promise.all([poll(services, gate), storing]);
    return summary;
  }
  const { outcome } = await pollProject(services, gate, envelope);
  if (outcome === 'BUSY') {
    throw new NoTurnError('Another run has the project');
  }
  return undefined;
});

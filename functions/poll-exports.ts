import { pollExports as poll } from '../shared/polling/poll.ts';
import { onPost } from './http.ts';

/** Called by Cloud Scheduler: handles the records that are due, and records what has changed at Earth Engine. */
export const pollExports = onPost(({ services, gate }) => poll(services, gate));

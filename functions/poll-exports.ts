import { pollExports as poll } from '../shared/polling/poll.ts';
import { onPost } from './http.ts';

/** Called by Cloud Scheduler: moves on what is due, and looks at what changed at Earth Engine. */
export const pollExports = onPost(({ services, gate }) => poll(services, gate));

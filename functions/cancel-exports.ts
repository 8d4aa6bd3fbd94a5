import { cancelExports as cancel } from '../shared/cancellation/cancel-exports.ts';
import { onMessage } from './http.ts';

/** Pushed from the cancellation topic: a job, or a batch, that is not wanted any more. */
export const cancelExports = onMessage(({ services }, envelope) => cancel(services, envelope));

import { cancelExports as cancel } from '../shared/cancellation/cancel-exports.ts';
import { onMessage } from './http.ts';

/** Receives the cancellation topic: cancels a job or a batch. */
export const cancelExports = onMessage(({ services }, envelope) => cancel(services, envelope));

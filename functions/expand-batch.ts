import { expandBatch as expand } from '../shared/batch/expand-batch.ts';
import { onMessage } from './http.ts';

/** Receives the batch topic: turns a manifest into job messages. */
export const expandBatch = onMessage(({ services }, envelope) => expand(services, envelope));

import { expandBatch as expand } from '../shared/batch/expand-batch.ts';
import { onMessage } from './http.ts';

/** Pushed from the batch topic: a manifest becomes job messages. */
export const expandBatch = onMessage(({ services }, envelope) => expand(services, envelope));

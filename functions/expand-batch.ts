import { onMessage } from './http.ts';

export const expandBatch = onMessage(() => Promise.reject(new Error('on its way')));

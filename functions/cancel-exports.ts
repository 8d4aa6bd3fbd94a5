import { onMessage } from './http.ts';

export const cancelExports = onMessage(() => Promise.reject(new Error('on its way')));

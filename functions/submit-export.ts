import { submit } from '../shared/submission/submit.ts';
import { onMessage } from './http.ts';

/** Pushed from the job topic: a job message becomes an Earth Engine operation. */
export const submitExport = onMessage(({ services, gate }, envelope) => submit(services, gate, envelope));

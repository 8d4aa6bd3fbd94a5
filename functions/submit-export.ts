import { submit } from '../shared/submission/submit.ts';
import { onMessage } from './http.ts';

/** Receives the job topic: turns a job message into an Earth Engine operation. */
export const submitExport = onMessage(({ services, gate }, envelope) => submit(services, gate, envelope));

import { recordDeadLetter as record } from '../shared/dead-letters/record-dead-letter.ts';
import { onMessage } from './http.ts';

/** Pushed from the dead-letter topic: what could not be handled is recorded where its sender looks. */
export const recordDeadLetter = onMessage(({ services }, envelope) => record(services, envelope));

import { recordDeadLetter as record } from '../shared/dead-letters/record-dead-letter.ts';
import { onMessage } from './http.ts';

/** Receives the dead-letter topic: records messages that no function could handle, where their senders look. */
export const recordDeadLetter = onMessage(({ services }, envelope) => record(services, envelope));

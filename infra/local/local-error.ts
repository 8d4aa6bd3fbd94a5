import { CodedError } from '../../shared/errors.ts';

/** Every code that an error of the local stack and its demo can have. */
export type LocalErrorCode =
  | 'EMULATORS_UNAVAILABLE'
  | 'EMULATOR_FAILED'
  | 'PUBSUB_EMULATOR_FAILED'
  | 'FUNCTION_FAILED'
  | 'FUNCTION_CRASHED'
  | 'POLL_FAILED'
  | 'CRON_INVALID'
  | 'DEMO_FAILED'
  | 'ALREADY_RUNNING'
  | 'START_FAILED'
  | 'INTERRUPTED';

/** An error of the local stack, which is never deployed. */
export class LocalError extends CodedError<LocalErrorCode> {
  override readonly name: string = 'LocalError';
}

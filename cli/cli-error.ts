import { CodedError } from '../shared/errors.ts';
import { type ExitCode, exitCodes } from './exit-codes.ts';
import { rejectionReasons } from './rejection-reasons.ts';

/** What the clients of Google Cloud report, in words of the command line. */
export type ClientErrorCode =
  | 'NO_CREDENTIALS'
  | 'CREDENTIALS_UNREADABLE'
  | 'CREDENTIALS_REFUSED'
  | 'PERMISSION_DENIED'
  | 'NOT_FOUND'
  | 'NOT_RUNNING'
  | 'UNREACHABLE';

/** Every code that an error of the command line can have, beside those of the service. Scripts read it with `--json`. */
export type CliErrorCode =
  | (typeof rejectionReasons)[number]
  | ClientErrorCode
  | 'ARGUMENTS_WRONG'
  | 'CHECKSUM_WRONG'
  | 'CONTEXTS_UNREADABLE'
  | 'CONTEXT_UNKNOWN'
  | 'FILE_UNREADABLE'
  | 'INDEX_MISSING'
  | 'MESSAGE_REJECTED'
  | 'NOT_AGREED'
  | 'PAGE_WRONG'
  | 'PUBLISH_FAILED'
  | 'REQUEST_DAMAGED'
  | 'SERVICE_HALF_LOCAL'
  | 'TOPIC_MISSING'
  | 'UNEXPECTED';

/** An error that the user can do something about. The message describes what is wrong and what to do next. */
export class CliError extends CodedError<CliErrorCode> {
  override readonly name = 'CliError';
  readonly exitCode: ExitCode;

  constructor(
    code: CliErrorCode,
    message: string,
    { exitCode = exitCodes.FAILED, ...options }: ErrorOptions & { readonly exitCode?: ExitCode } = {},
  ) {
    super(code, message, options);
    this.exitCode = exitCode;
  }
}

/** Wrong arguments or input: nothing was done. */
export const wrongInput = (code: CliErrorCode, message: string, options: ErrorOptions = {}): CliError =>
  new CliError(code, message, { ...options, exitCode: exitCodes.WRONG_INPUT });

/** The code of a rejected message: its reason, unless a later version of the service wrote one that is unknown here. */
export const rejectionCode = (reason: string): CliErrorCode =>
  rejectionReasons.find((code) => code === reason) ?? 'MESSAGE_REJECTED';

import { asError, ConfigError, type ErrorCode, ServiceError } from '../shared/errors.ts';
import { rpcCodeOf, rpcCodes } from '../shared/rpc-codes.ts';
import { CliError, type CliErrorCode, type ClientErrorCode } from './cli-error.ts';
import { type ExitCode, exitCodes } from './exit-codes.ts';

/** An error as the command line shows it. */
export interface Problem {
  readonly code: ErrorCode | CliErrorCode;
  /** What is wrong. */
  readonly found: string;
  /** What to do next, if that is not part of `found`. */
  readonly advice?: string;
  /** Both, as sentences. */
  readonly message: string;
  readonly exitCode: ExitCode;
}

function problem(
  code: Problem['code'],
  found: string,
  advice?: string,
  exitCode: ExitCode = exitCodes.FAILED,
): Problem {
  return advice === undefined
    ? { code, found, message: found, exitCode }
    : { code, found, advice, message: `${found}. ${advice}.`, exitCode };
}

/** Explains any thrown value, by the outermost error in its chain of causes that has one of our codes. */
export function explain(thrown: unknown): Problem {
  const error = asError(thrown);
  for (const cause of causes(error)) {
    if (cause instanceof CliError) {
      return problem(cause.code, cause.message, undefined, cause.exitCode);
    }
    if (cause instanceof ServiceError) {
      return explainServiceError(cause);
    }
  }
  return (
    explainClientError(error) ??
    problem(
      'UNEXPECTED',
      `Unexpected error: ${firstLine(error.message)}`,
      'Retry with --debug to get the stack, and report the error with it',
    )
  );
}

function explainServiceError(error: ServiceError): Problem {
  switch (error.code) {
    case 'CONFIG_INVALID':
      return explainConfigError(error);
    case 'STORE_TIMEOUT':
    case 'PUBLISH_TIMEOUT':
      return unreachable(error.message);
    case 'STORE_FAILED':
      // Only a query fails like this: a conditional write that fails is WRITE_STALE.
      if (rpcCodeOf(error) === rpcCodes.FAILED_PRECONDITION) {
        return problem(
          'INDEX_MISSING',
          `Firestore has no index for this query (${detailOf(asError(error.cause))})`,
          'Apply the Terraform configuration of infra/ (for a label, list it in indexed_labels), or remove a filter',
        );
      }
      return explainClientError(error.cause) ?? problem(error.code, error.message);
    case 'PUBLISH_FAILED':
    case 'PULL_FAILED':
    case 'EARTH_ENGINE_NOT_SENT':
    case 'EARTH_ENGINE_UNANSWERED':
    case 'STORAGE_UNAVAILABLE':
      return explainClientError(error.cause) ?? problem(error.code, error.message);
    case 'WRITE_STALE':
    case 'DOCUMENT_UNREADABLE':
    case 'PUBLISH_PAUSED':
    case 'BATCH_BUSY':
    case 'BATCH_UNFINISHED':
    case 'EARTH_ENGINE_QUEUE_FULL':
    case 'EARTH_ENGINE_QUOTA_EXHAUSTED':
    case 'EARTH_ENGINE_RATE_LIMITED':
    case 'EARTH_ENGINE_PERMISSION':
    case 'EARTH_ENGINE_ALREADY_STARTED':
    case 'EARTH_ENGINE_NOT_FOUND':
    case 'EARTH_ENGINE_REFUSED':
    case 'STORAGE_DENIED':
    case 'STORAGE_NOT_FOUND':
    case 'STORAGE_CONFLICT':
    case 'STORAGE_REFUSED':
      return problem(error.code, error.message);
  }
}

function explainConfigError(error: ServiceError): Problem {
  return error instanceof ConfigError && error.missing.includes('GOOGLE_CLOUD_PROJECT')
    ? problem(
        error.code,
        'No service is chosen',
        'Start one on this machine with npm start, or choose a deployed one: context use NAME --project PROJECT, or GOOGLE_CLOUD_PROJECT',
        exitCodes.WRONG_INPUT,
      )
    : problem(error.code, error.message, undefined, exitCodes.WRONG_INPUT);
}

/** An error of a client of Google Cloud, or its cause; undefined for an unknown error. */
function explainClientError(thrown: unknown): Problem | undefined {
  for (const error of causes(thrown)) {
    const code = codeInMessage(error.message) ?? codeOf(error);
    if (code) {
      return describe(code, error);
    }
  }
  return undefined;
}

const LOGIN = 'gcloud auth application-default login';

function describe(code: ClientErrorCode, error: Error): Problem {
  switch (code) {
    case 'NO_CREDENTIALS':
      return problem(
        code,
        'No Google Cloud credentials found',
        `Run ${LOGIN}, or set GOOGLE_APPLICATION_CREDENTIALS`,
      );
    case 'CREDENTIALS_UNREADABLE':
      return problem(
        code,
        `Cannot use the credentials file (${firstLine(error.message)})`,
        `Fix or unset GOOGLE_APPLICATION_CREDENTIALS, or run ${LOGIN}`,
      );
    case 'CREDENTIALS_REFUSED':
      return problem(
        code,
        'Google Cloud refused the credentials',
        `Run ${LOGIN}, or set GOOGLE_APPLICATION_CREDENTIALS`,
      );
    case 'PERMISSION_DENIED':
      return problem(
        code,
        `You lack a permission (${detailOf(error)})`,
        'Run npx ee-video-exports doctor to find out which one, and ask for it',
      );
    case 'NOT_FOUND':
      return problem(
        code,
        detailOf(error),
        "Check that GOOGLE_CLOUD_PROJECT is the service's project, or run npx ee-video-exports doctor",
      );
    case 'NOT_RUNNING': {
      const address = /\d+(?:\.\d+){3}:\d+/.exec(error.message)?.[0];
      return problem(
        code,
        `Nothing is listening${address ? ` at ${address}` : ''}`,
        'Start the emulators (npm start), or unset the …_EMULATOR_HOST variables',
      );
    }
    case 'UNREACHABLE':
      return unreachable(detailOf(error));
  }
}

const unreachable = (detail: string): Problem =>
  problem(
    'UNREACHABLE',
    `No response from Google Cloud or the emulator (${detail})`,
    'Check the network and the …_EMULATOR_HOST variables, then retry',
  );

/** By the code of gRPC or of Node.js. */
function codeOf(error: Error): ClientErrorCode | undefined {
  switch ('code' in error ? error.code : undefined) {
    case rpcCodes.UNAUTHENTICATED:
      return 'CREDENTIALS_REFUSED';
    case rpcCodes.PERMISSION_DENIED:
      return 'PERMISSION_DENIED';
    case rpcCodes.NOT_FOUND:
      return 'NOT_FOUND';
    case rpcCodes.UNAVAILABLE:
    case rpcCodes.DEADLINE_EXCEEDED:
    case 'ENOTFOUND':
      return 'UNREACHABLE';
    case 'ECONNREFUSED':
      return 'NOT_RUNNING';
    default:
      return undefined;
  }
}

/**
 * By the message, for what Google's clients report in no other way: google-auth-library throws plain errors, and gRPC
 * keeps nothing of an error of the credentials or of the socket but its text. No other function reads messages.
 */
export function codeInMessage(message: string): ClientErrorCode | undefined {
  if (/could not load the default credentials/i.test(message)) {
    return 'NO_CREDENTIALS';
  }
  if (/credential file|incoming JSON object does not contain/i.test(message)) {
    return 'CREDENTIALS_UNREADABLE';
  }
  if (/invalid_grant|invalid_rapt|reauth related error/i.test(message)) {
    return 'CREDENTIALS_REFUSED';
  }
  return /ECONNREFUSED/.test(message) ? 'NOT_RUNNING' : undefined;
}

function causes(thrown: unknown): Error[] {
  const chain: Error[] = [];
  for (let at = thrown; at instanceof Error && chain.length < 10; at = at.cause) {
    chain.push(at);
  }
  return chain;
}

const firstLine = (text: string): string => (text.split('\n')[0] ?? '').trim().replace(/[.;]$/, '');

/** The service's message, without the code that gRPC puts before it. */
const detailOf = ({ message }: Error): string => firstLine(message.replace(/^.*?\b\d+ [A-Z_]+: /s, ''));

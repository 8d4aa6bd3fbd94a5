import { asError, ServiceError } from '../shared/errors.ts';
import { rpcCodes } from '../shared/rpc-codes.ts';
import { type ExitCode, exitCodes } from './exit-codes.ts';

/** What a person can do something about: one sentence of what is wrong and what to do next. */
export class CliError extends ServiceError {
  override readonly name = 'CliError';
  readonly exitCode: ExitCode;

  constructor(
    code: string,
    message: string,
    { exitCode = exitCodes.FAILED, ...options }: ErrorOptions & { readonly exitCode?: ExitCode } = {},
  ) {
    super(code, message, options);
    this.exitCode = exitCode;
  }
}

/** Wrong arguments or input: nothing was done. */
export const wrongInput = (code: string, message: string, options: ErrorOptions = {}): CliError =>
  new CliError(code, message, { ...options, exitCode: exitCodes.WRONG_INPUT });

export interface Problem {
  readonly code: string;
  readonly message: string;
  readonly exitCode: ExitCode;
}

const LOGIN = 'run gcloud auth application-default login, or set GOOGLE_APPLICATION_CREDENTIALS';

/** Whatever was thrown, as one sentence with what to do next. */
export function explain(thrown: unknown): Problem {
  const error = asError(thrown);
  const chain = causes(error);
  for (const cause of chain) {
    if (cause instanceof CliError) {
      return { code: cause.code, message: cause.message, exitCode: cause.exitCode };
    }
    if (cause instanceof ServiceError && cause.code === 'CONFIG_INVALID') {
      return { code: cause.code, message: settingsProblem(cause.message), exitCode: exitCodes.WRONG_INPUT };
    }
  }
  const known = chain.map(explainCause).find((found) => found !== undefined);
  if (known) {
    return { ...known, exitCode: exitCodes.FAILED };
  }
  if (error instanceof ServiceError) {
    return { code: error.code, message: error.message, exitCode: exitCodes.FAILED };
  }
  return {
    code: 'UNEXPECTED',
    message: `${firstLine(error.message)} (unexpected; run it again with --debug to see where, and report it with that)`,
    exitCode: exitCodes.FAILED,
  };
}

function settingsProblem(message: string): string {
  return message.includes('GOOGLE_CLOUD_PROJECT is not set')
    ? 'The project is not known: set GOOGLE_CLOUD_PROJECT, or give --project, to the project that the service runs in.'
    : message;
}

function causes(error: Error): Error[] {
  const chain: Error[] = [];
  for (let at: unknown = error; at instanceof Error && chain.length < 10; at = at.cause) {
    chain.push(at);
  }
  return chain;
}

function explainCause(error: Error): Omit<Problem, 'exitCode'> | undefined {
  const text = error.message;
  const code: unknown = (error as { code?: unknown }).code;
  if (/could not load the default credentials/i.test(text)) {
    return { code: 'NO_CREDENTIALS', message: `There are no Google Cloud credentials here: ${LOGIN}.` };
  }
  if (/credential file|credentials? json|does not (?:contain|look like)/i.test(text)) {
    return {
      code: 'CREDENTIALS_UNREADABLE',
      message: `The credentials file cannot be used (${firstLine(text)}): correct or unset GOOGLE_APPLICATION_CREDENTIALS, or ${LOGIN}.`,
    };
  }
  if (/invalid_grant|invalid_rapt|reauth related error/i.test(text) || code === rpcCodes.UNAUTHENTICATED) {
    return { code: 'CREDENTIALS_REFUSED', message: `Google Cloud refused the credentials: ${LOGIN}.` };
  }
  if (code === rpcCodes.PERMISSION_DENIED) {
    return {
      code: 'PERMISSION_DENIED',
      message: `You lack a permission (${firstLine(detailOf(text))}); run ee-video-exports doctor to see which, and ask for it.`,
    };
  }
  if (code === rpcCodes.NOT_FOUND) {
    return {
      code: 'NOT_FOUND',
      message: `${firstLine(detailOf(text))}; is GOOGLE_CLOUD_PROJECT the service's project? ee-video-exports doctor checks it.`,
    };
  }
  if (code === rpcCodes.FAILED_PRECONDITION && /index/i.test(text)) {
    return {
      code: 'INDEX_MISSING',
      message:
        'Firestore lacks an index for this query: apply infra/firestore.tf (for a label, name it in indexed_labels), or leave a filter out.',
    };
  }
  if (/ECONNREFUSED/.test(text) || code === 'ECONNREFUSED') {
    const address = /\d+(?:\.\d+){3}:\d+/.exec(text)?.[0];
    return {
      code: 'NOT_RUNNING',
      message: `Nothing answers${address ? ` at ${address}` : ''}: start the emulators (npm start), or unset the …_EMULATOR_HOST variables.`,
    };
  }
  if (
    code === rpcCodes.UNAVAILABLE ||
    code === rpcCodes.DEADLINE_EXCEEDED ||
    code === 'ENOTFOUND' ||
    code === 'CALL_TIMEOUT'
  ) {
    return {
      code: 'UNREACHABLE',
      message: `Google Cloud, or the emulator, does not answer (${firstLine(detailOf(text))}); check the network, and that …_EMULATOR_HOST variables are right or unset, then try again.`,
    };
  }
  return undefined;
}

const firstLine = (text: string): string => (text.split('\n')[0] ?? '').trim().replace(/[.;]$/, '');

/** gRPC puts the code before what the service said. */
const detailOf = (text: string): string => text.replace(/^.*?\b\d+ [A-Z_]+: /s, '');

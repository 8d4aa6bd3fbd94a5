import { DAY_MS } from '../clock.ts';
import { EarthEngineError, type EarthEngineErrorKind } from './api.ts';
import { isObject, startOf } from './operation.ts';
import { asError } from '../errors.ts';

/** What was asked of EE, as far as it changes what an answer means. */
export interface Call {
  readonly kind: 'export' | 'get' | 'list' | 'cancel';
  /** `POST /v1/projects/P/video:export`: for messages. Without the query, whose page token says nothing to a reader. */
  readonly name: string;
}

/** What is kept of what EE said: it ends in logs and records. */
const MAX_REPLY_CHARACTERS = 4096;

/** EE's own words; neither their HTTP status nor their google.rpc status is documented, so any error status counts. */
const queueFull = /too many tasks already in the queue/i;
const differentOperation = /a different operation was already started with the given request_id/i;

const rateLimitReasons = new Set(['rateLimitExceeded', 'userRateLimitExceeded', 'RATE_LIMIT_EXCEEDED']);

const statusNames: Readonly<Record<number, string>> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  409: 'ALREADY_EXISTS',
  429: 'RESOURCE_EXHAUSTED',
  501: 'UNIMPLEMENTED',
  503: 'UNAVAILABLE',
  504: 'DEADLINE_EXCEEDED',
};

/** An HTTP error answer, as far as it was read. */
export interface Answer {
  readonly httpStatus: number;
  /** The body's first kilobytes; may be empty, HTML, or anything that a proxy on the way says. */
  readonly body: string;
  readonly retryAfter: string | null;
}

/** The error that stands for an answer outside 2xx. */
export function refusal(call: Call, answer: Answer, now: Date): EarthEngineError {
  const { httpStatus } = answer;
  const said = parseBody(answer.body);
  const status =
    said.status ??
    statusNames[httpStatus] ??
    (httpStatus >= 500 ? 'INTERNAL' : httpStatus >= 400 ? 'INVALID_ARGUMENT' : 'UNKNOWN');
  return new EarthEngineError(kindOf(call, httpStatus, said), {
    message: `${call.name} was answered ${httpStatus} ${status}: ${said.reply || 'no body'}`,
    httpStatus,
    status,
    reply: said.reply,
    retryAfterMs: retryAfterMs(answer.retryAfter, now),
  });
}

function kindOf(call: Call, httpStatus: number, said: Said): EarthEngineErrorKind {
  // A redirect would carry the request, and the token, to somewhere else: never followed, so nobody knows.
  if (httpStatus < 400) {
    return 'UNANSWERED';
  }
  if (queueFull.test(said.reply)) {
    return 'QUEUE_FULL';
  }
  if (httpStatus === 429 || (httpStatus === 403 && said.rateLimited)) {
    return 'RATE_LIMITED';
  }
  if (call.kind === 'export') {
    const used = differentOperation.test(said.reply) || said.status === 'ALREADY_EXISTS';
    if (used || httpStatus === 409) {
      return 'ALREADY_STARTED';
    }
  }
  if (httpStatus === 401 || httpStatus === 403) {
    return 'PERMISSION';
  }
  if (httpStatus === 408 || httpStatus >= 500) {
    return 'UNANSWERED';
  }
  if (httpStatus === 404 && (call.kind === 'get' || call.kind === 'cancel')) {
    // A proxy's 404 page says nothing about the operation, and LOST is for ever.
    return said.fromGoogle ? 'NOT_FOUND' : 'UNANSWERED';
  }
  return 'REFUSED';
}

interface Said {
  readonly reply: string;
  readonly status: string | undefined;
  readonly rateLimited: boolean;
  /** The body has the form of Google's APIs: `{"error": {code, message, status, details}}`. */
  readonly fromGoogle: boolean;
}

function parseBody(body: string): Said {
  const error = parseGoogleError(body);
  if (!error) {
    return { reply: plainText(body), status: undefined, rateLimited: false, fromGoogle: false };
  }
  const { message, status, details, errors } = error;
  return {
    reply: typeof message === 'string' ? startOf(message, MAX_REPLY_CHARACTERS) : '',
    status: typeof status === 'string' && /^[A-Z_]{1,40}$/.test(status) ? status : undefined,
    rateLimited: [details, errors]
      .flat()
      .some((item) => isObject(item) && rateLimitReasons.has(String(item['reason']))),
    fromGoogle: true,
  };
}

function parseGoogleError(body: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const json: unknown = JSON.parse(body);
    const error = isObject(json) ? json['error'] : undefined;
    return isObject(error) ? error : undefined;
  } catch {
    return undefined;
  }
}

/** Where a page's title is, if it has one. */
const MAX_PAGE_CHARACTERS = 2048;

/**
 * An HTML page's title says what its two kilobytes of style do not. The page is whatever somebody on the way sends, so
 * what the patterns see is short and each of them bounded: tens of kilobytes of `<` would take them seconds.
 */
function plainText(body: string): string {
  const page = body.slice(0, MAX_PAGE_CHARACTERS);
  const title = /<title[^<>]{0,100}>([^<]{1,300})/i.exec(page)?.[1];
  const text = (title ?? page).replaceAll(/<[^<>]{0,200}>|\s{1,200}/g, ' ').trim();
  return startOf(text, 300);
}

/**
 * Retry-After in its two forms, seconds or an HTTP date (RFC 9110, 10.2.3); anything else is as good as absent. A day at
 * most: what a number of any length asks for is no time that can be computed with.
 */
function retryAfterMs(header: string | null, now: Date): number | undefined {
  if (header === null) {
    return undefined;
  }
  if (/^\s*\d+(?:\.\d+)?\s*$/.test(header)) {
    return Math.min(DAY_MS, Number(header) * 1000);
  }
  // Date.parse reads almost anything as a date, `-5` too; an HTTP date has a time of day.
  const date = header.includes(':') ? Date.parse(header) : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.min(DAY_MS, Math.max(0, date - now.getTime()));
}

/** Failures of a connection attempt: nothing of the request can have left this machine. */
const notConnected = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EADDRNOTAVAIL',
  'UND_ERR_CONNECT_TIMEOUT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

/** The error that stands for a call without a readable answer. */
export function failure(call: Call, error: Error, signal: AbortSignal): EarthEngineError {
  if (signal.aborted) {
    const reply = asError(signal.reason).message;
    return unanswered(call, 504, 'DEADLINE_EXCEEDED', `was given up: ${reply}`, error);
  }
  // fetch wraps what happened to the connection; several addresses tried make an AggregateError, which has a code too.
  const cause = error.cause === undefined ? error : asError(error.cause);
  const code = 'code' in cause ? String(cause.code) : '';
  if (notConnected.has(code)) {
    return notSent(call, cause.message || code, error);
  }
  if (error instanceof SyntaxError) {
    return unreadableAnswer(call, 'no JSON', error);
  }
  return unanswered(call, 503, 'UNAVAILABLE', `got no answer: ${cause.message || code}`, error);
}

function unanswered(call: Call, httpStatus: number, status: string, detail: string, cause?: unknown) {
  const reply = startOf(detail, MAX_REPLY_CHARACTERS);
  const message = `${call.name} ${reply}`;
  return new EarthEngineError('UNANSWERED', { message, httpStatus, status, reply }, { cause });
}

function unreadableAnswer(call: Call, detail: string, cause?: unknown): EarthEngineError {
  return unanswered(call, 502, 'UNKNOWN', `was answered 2xx with ${detail}`, cause);
}

export function unreadable(call: Call, detail: string): never {
  throw unreadableAnswer(call, detail);
}

export function notSent(call: Call, why: string, cause?: unknown): EarthEngineError {
  const reply = startOf(why, MAX_REPLY_CHARACTERS);
  const detail = {
    message: `${call.name} was not sent: ${reply}`,
    httpStatus: 503,
    status: 'UNAVAILABLE',
    reply,
  };
  return new EarthEngineError('NOT_SENT', detail, { cause });
}

export function noToken(call: Call): (error: unknown) => never {
  return (error) => {
    throw notSent(call, `no access token: ${asError(error).message}`, error);
  };
}

export function badName(operation: string): EarthEngineError {
  return new EarthEngineError('REFUSED', {
    message: `${JSON.stringify(startOf(operation, 200))} is not the name of an operation (projects/P/operations/ID)`,
    httpStatus: 400,
    status: 'INVALID_ARGUMENT',
    reply: '',
  });
}

import { DAY_MS } from '../clock.ts';
import { asError } from '../errors.ts';
import { isJsonObject, type JsonObject } from '../json.ts';
import { truncate } from '../text.ts';
import { EarthEngineError, type EarthEngineErrorKind } from './api.ts';

/** A request to Earth Engine, as far as it changes what a response means. */
export interface Call {
  readonly kind: 'export' | 'get' | 'list' | 'cancel';
  /** For messages: `POST /v1/projects/P/video:export`. Without the query, whose page token means nothing to a reader. */
  readonly name: string;
}

/** Limits what logs and records keep of Earth Engine's message. */
const MAX_REPLY_CHARACTERS = 4096;

/** Earth Engine's messages; it documents neither their HTTP status nor their google.rpc status, so any error status counts. */
const customQuota = /your usage exceeded the custom quota/i;
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
  499: 'CANCELLED',
  501: 'UNIMPLEMENTED',
  503: 'UNAVAILABLE',
  504: 'DEADLINE_EXCEEDED',
};

/** An HTTP error response, as far as it was read. */
export interface ErrorResponse {
  readonly httpStatus: number;
  /** The body's first kilobytes: may be empty, HTML, or anything else that a proxy on the way sends. */
  readonly body: string;
  readonly retryAfter: string | null;
}

/** The error for a response other than 2xx. */
export function responseError(call: Call, response: ErrorResponse, now: Date): EarthEngineError {
  const { httpStatus } = response;
  const body = parseBody(response.body);
  const status =
    body.status ??
    statusNames[httpStatus] ??
    (httpStatus >= 500 ? 'INTERNAL' : httpStatus >= 400 ? 'INVALID_ARGUMENT' : 'UNKNOWN');
  return new EarthEngineError(kindOf(call, httpStatus, body), {
    message: `${call.name} returned ${httpStatus} ${status}: ${body.reply || 'no body'}`,
    httpStatus,
    status,
    reply: body.reply,
    retryAfterMs: retryAfterMs(response.retryAfter, now),
  });
}

function kindOf(call: Call, httpStatus: number, body: ErrorBody): EarthEngineErrorKind {
  // A redirect is not followed, since it would send the request and the token elsewhere: so the outcome is unknown.
  if (httpStatus < 400) {
    return 'UNANSWERED';
  }
  if (customQuota.test(body.reply)) {
    return 'QUOTA_EXHAUSTED';
  }
  if (queueFull.test(body.reply)) {
    return 'QUEUE_FULL';
  }
  if (httpStatus === 429 || (httpStatus === 403 && body.rateLimited)) {
    return 'RATE_LIMITED';
  }
  // A proxy on the way wrote it, even a 400, 403, or 404: the request may have reached Earth Engine before.
  if (!body.fromGoogle) {
    return 'UNANSWERED';
  }
  if (call.kind === 'export') {
    const used = differentOperation.test(body.reply) || body.status === 'ALREADY_EXISTS';
    if (used || httpStatus === 409) {
      return 'ALREADY_STARTED';
    }
  }
  if (httpStatus === 401 || httpStatus === 403) {
    return 'PERMISSION';
  }
  // 499: the call was canceled on the way, and nothing shows what it did until then.
  if (httpStatus === 408 || httpStatus === 499 || httpStatus >= 500) {
    return 'UNANSWERED';
  }
  return httpStatus === 404 && (call.kind === 'get' || call.kind === 'cancel') ? 'NOT_FOUND' : 'REFUSED';
}

interface ErrorBody {
  readonly reply: string;
  readonly status: string | undefined;
  readonly rateLimited: boolean;
  /** The body has the form of Google's APIs: `{"error": {code, message, status, details}}`. */
  readonly fromGoogle: boolean;
}

function parseBody(body: string): ErrorBody {
  const error = parseGoogleError(body);
  if (!error) {
    const fromGoogle = startOfGoogleError.test(body);
    return { reply: plainText(body), status: undefined, rateLimited: false, fromGoogle };
  }
  const { message, status, details, errors } = error;
  return {
    reply: typeof message === 'string' ? truncate(message, MAX_REPLY_CHARACTERS) : '',
    status: typeof status === 'string' && /^[A-Z_]{1,40}$/.test(status) ? status : undefined,
    rateLimited: [details, errors]
      .flat()
      .some((item) => isJsonObject(item) && rateLimitReasons.has(String(item['reason']))),
    fromGoogle: true,
  };
}

/** A body that was cut because it is too long is no JSON, but still a refusal: it can quote the request. */
const startOfGoogleError = /^\s{0,9}\{\s{0,9}"error":\s{0,9}\{\s{0,9}"code":\s{0,9}\d{3}\b/;

function parseGoogleError(body: string): JsonObject | undefined {
  try {
    const json: unknown = JSON.parse(body);
    const error = isJsonObject(json) ? json['error'] : undefined;
    // Other APIs have an `error` too, with a text as its code or without one.
    return isJsonObject(error) && typeof error['code'] === 'number' ? error : undefined;
  } catch {
    return undefined;
  }
}

/** An HTML page's title, if it has one, is within these. */
const MAX_PAGE_CHARACTERS = 2048;

/**
 * The title of an HTML page, otherwise its text. Any proxy on the way can have written the page, so both the input and each
 * repetition in the patterns are bounded: for tens of kilobytes of `<` they would take seconds.
 */
function plainText(body: string): string {
  const page = body.slice(0, MAX_PAGE_CHARACTERS);
  const title = /<title[^<>]{0,100}>([^<]{1,300})/i.exec(page)?.[1];
  const text = (title ?? page).replaceAll(/<[^<>]{0,200}>|\s{1,200}/g, ' ').trim();
  return truncate(text, 300);
}

/**
 * Retry-After in its two forms, seconds or an HTTP date (RFC 9110, 10.2.3); anything else counts as absent. At most a day:
 * an arbitrarily long number would be outside the range of Date.
 */
function retryAfterMs(header: string | null, now: Date): number | undefined {
  if (header === null) {
    return undefined;
  }
  if (/^\s*\d+(?:\.\d+)?\s*$/.test(header)) {
    return Math.min(DAY_MS, Number(header) * 1000);
  }
  // Date.parse accepts almost anything as a date, even `-5`; an HTTP date has a time of day.
  const date = header.includes(':') ? Date.parse(header) : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.min(DAY_MS, Math.max(0, date - now.getTime()));
}

/** Failures that come before a connection: no part of the request can have left this machine. */
const notConnected = new Set([
  'ENOTFOUND',
  'EAI_AGAIN',
  'UND_ERR_CONNECT_TIMEOUT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

/**
 * Whether the connection failed before it was made. A code such as EHOSTUNREACH does not show it: reading from a
 * connection fails with the same codes, after the request was written.
 */
function isNotConnected(cause: Error): boolean {
  // Several addresses were tried.
  if (cause instanceof AggregateError && cause.errors.length > 0) {
    return cause.errors.every((each) => isNotConnected(asError(each)));
  }
  const { code, syscall } = cause as { code?: unknown; syscall?: unknown };
  return syscall === 'connect' || notConnected.has(String(code));
}

/** The error for a call without a readable response. */
export function connectionError(call: Call, error: Error, signal: AbortSignal): EarthEngineError {
  if (signal.aborted) {
    const reply = asError(signal.reason).message;
    return unanswered(call, 504, 'DEADLINE_EXCEEDED', `was abandoned: ${reply}`, error);
  }
  // fetch wraps the connection's error.
  const cause = error.cause === undefined ? error : asError(error.cause);
  const code = 'code' in cause ? String(cause.code) : '';
  if (isNotConnected(cause)) {
    return notSent(call, cause.message || code, error);
  }
  if (error instanceof SyntaxError) {
    return unreadableResponse(call, 'no JSON', error);
  }
  return unanswered(call, 503, 'UNAVAILABLE', `got no response: ${cause.message || code}`, error);
}

function unanswered(call: Call, httpStatus: number, status: string, detail: string, cause?: unknown) {
  const reply = truncate(detail, MAX_REPLY_CHARACTERS);
  const message = `${call.name} ${reply}`;
  return new EarthEngineError('UNANSWERED', { message, httpStatus, status, reply }, { cause });
}

function unreadableResponse(call: Call, detail: string, cause?: unknown): EarthEngineError {
  return unanswered(call, 502, 'UNKNOWN', `returned 2xx with ${detail}`, cause);
}

export function unreadable(call: Call, detail: string): never {
  throw unreadableResponse(call, detail);
}

export function notSent(call: Call, why: string, cause?: unknown): EarthEngineError {
  const reply = truncate(why, MAX_REPLY_CHARACTERS);
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
    message: `${JSON.stringify(truncate(operation, 200))} is not the name of an operation (projects/P/operations/ID)`,
    httpStatus: 400,
    status: 'INVALID_ARGUMENT',
    reply: '',
  });
}

import { asError } from '../errors.ts';
import { EarthEngineError, type CallOptions, type EarthEngineObserver } from './api.ts';
import type { TokenSource } from './credentials.ts';
import { connectionError, noToken, notSent, responseError, type Call } from './errors.ts';

const PRODUCT = 'ee-video-exports';
/** 500 operations are a few hundred kilobytes. */
const MAX_RESPONSE_BYTES = 64 * 1024 * 1024;
const MAX_START_BYTES = 64 * 1024;

export interface EarthEngineOptions {
  /** Base address without a trailing slash, such as `https://earthengine.googleapis.com`. */
  readonly url: string;
  /** Absent for a simulator: then no code looks for credentials. */
  readonly auth?: TokenSource | undefined;
  readonly fetch?: ((url: string, init: RequestInit) => Promise<Response>) | undefined;
  readonly observer?: EarthEngineObserver | undefined;
  /** For Retry-After as a date. */
  readonly now?: (() => Date) | undefined;
}

/** Sends one request, POST if it has a body, and returns the JSON of a 2xx response. Rejects with EarthEngineError. */
export async function send(
  { url, auth, fetch = globalThis.fetch, observer, now = () => new Date() }: EarthEngineOptions,
  call: Call,
  project: string,
  path: string,
  body: Uint8Array | undefined,
  options: CallOptions,
): Promise<unknown> {
  using deadline = startDeadline(options);
  const token = auth && (await deadline.race(auth.token()).catch(noToken(call)));
  if (deadline.signal.aborted) {
    throw notSent(call, 'the call was already aborted', deadline.signal.reason);
  }
  try {
    const response = await fetch(url + path, {
      method: body ? 'POST' : 'GET',
      headers: {
        'user-agent': PRODUCT,
        'x-goog-api-client': `${PRODUCT} gl-node/${process.versions.node}`,
        ...(body && { 'content-type': 'application/json' }),
        ...authorization(token, project),
      },
      // fetch's types exclude shared memory, which no caller passes.
      body: (body as Uint8Array<ArrayBuffer> | undefined) ?? null,
      signal: deadline.signal,
      redirect: 'manual',
    });
    const quota = response.headers.get('x-earth-engine-quota-status');
    if (quota !== null) {
      observer?.quotaStatus(project, quota.includes('parallelism_restricted=true'));
    }
    if (response.ok) {
      return JSON.parse(await readText(response, MAX_RESPONSE_BYTES));
    }
    if (response.status === 401 && token !== undefined) {
      auth?.drop(token);
    }
    throw responseError(
      call,
      {
        httpStatus: response.status,
        body: await readStart(response),
        retryAfter: response.headers.get('retry-after'),
      },
      now(),
    );
  } catch (error) {
    throw error instanceof EarthEngineError ? error : connectionError(call, asError(error), deadline.signal);
  }
}

export const authorization = (token: string | undefined, project: string): Record<string, string> =>
  token === undefined ? {} : { authorization: `Bearer ${token}`, 'x-goog-user-project': project };

/** A part of a path, such as a Cloud project: `:` is valid there, and occurs in domain-scoped project ids. */
export function encodeSegment(segment: string): string {
  return encodeURIComponent(segment).replaceAll('%3A', ':');
}

/** Each call has a timer that ends with the call. The timers of AbortSignal.timeout would outlive thousands of calls. */
export function startDeadline({ timeoutMs, signal: caller }: CallOptions) {
  const controller = new AbortController();
  const timer = setTimeout(
    () => controller.abort(new DOMException(`no response within ${timeoutMs} ms`, 'TimeoutError')),
    timeoutMs,
  );
  const abort = () => controller.abort(caller?.reason);
  if (caller?.aborted) {
    abort();
  } else {
    caller?.addEventListener('abort', abort, { once: true });
  }
  const { signal } = controller;
  return {
    signal,
    /** `promise`, or a rejection if the abort comes first. */
    race: <T>(promise: Promise<T>): Promise<T> =>
      new Promise((resolve, reject) => {
        const giveUp = () => reject(asError(signal.reason));
        if (signal.aborted) {
          giveUp();
        } else {
          signal.addEventListener('abort', giveUp, { once: true });
        }
        promise.then(resolve, reject);
      }),
    [Symbol.dispose]() {
      clearTimeout(timer);
      caller?.removeEventListener('abort', abort);
    },
  };
}

/** The beginning of an error's body. It is kept, and any proxy can have written it, so its length is limited. */
export const readStart = (response: Response): Promise<string> => readText(response, MAX_START_BYTES, 'CUT');

/** The body as text. If it is longer than `limit` bytes, this throws or cuts it off; the rest is never held in memory. */
async function readText(response: Response, limit: number, excess: 'CUT' | 'THROW' = 'THROW') {
  if (!response.body) {
    return '';
  }
  const decoder = new TextDecoder();
  let text = '';
  let bytes = 0;
  // Leaving the loop early cancels the stream, and with it the connection.
  for await (const chunk of response.body) {
    bytes += chunk.byteLength;
    if (bytes > limit) {
      if (excess === 'CUT') {
        return text + decoder.decode(chunk).slice(0, limit);
      }
      throw new Error(`the response is longer than ${limit} bytes`);
    }
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

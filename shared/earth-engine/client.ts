import {
  EarthEngineError,
  type CallOptions,
  type EarthEngine,
  type EarthEngineObserver,
  type Operation,
  type OperationCallOptions,
} from './api.ts';
import {
  isOfAnotherProject,
  isOperationName,
  parseOperation,
  parseOperationPage,
  projectOf,
  sameOperation,
} from './operation.ts';
import { badName, failure, noToken, notSent, refusal, unreadable, type Call } from './errors.ts';
import { asError } from '../errors.ts';

const SCOPE = 'https://www.googleapis.com/auth/cloud-platform';
const PRODUCT = 'ee-video-exports';
/** The most that one list page asks for; EE's clients ask for as many. */
const PAGE_SIZE = 500;
/** 500 operations are some hundred kilobytes. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
const MAX_REFUSAL_BYTES = 64 * 1024;

/** Where access tokens come from, and whose they are. */
export interface TokenSource {
  token(): Promise<string>;
  /** EE refused this token: the next call of `token()` gets another. */
  drop(token: string): void;
  /** Undefined for a person's credentials. */
  serviceAccount(): Promise<string | undefined>;
}

export interface EarthEngineOptions {
  /** Base address without a trailing slash, such as `https://earthengine.googleapis.com`. */
  readonly url: string;
  /** Absent against a simulator: then nothing looks for credentials. */
  readonly auth?: TokenSource | undefined;
  readonly fetch?: ((url: string, init: RequestInit) => Promise<Response>) | undefined;
  readonly observer?: EarthEngineObserver | undefined;
  /** For Retry-After as a date. */
  readonly now?: (() => Date) | undefined;
}

/** The EE REST API (v1). Nothing is retried here: see EarthEngine. */
export function createEarthEngine({
  url,
  auth,
  fetch = globalThis.fetch,
  observer,
  now = () => new Date(),
}: EarthEngineOptions): EarthEngine {
  let account: Promise<string | undefined> | undefined;

  async function send(
    call: Call,
    project: string,
    path: string,
    body: Uint8Array | undefined,
    options: CallOptions,
  ): Promise<unknown> {
    using deadline = startDeadline(options);
    const headers: Record<string, string> = {
      'user-agent': PRODUCT,
      'x-goog-api-client': `${PRODUCT} gl-node/${process.versions.node}`,
    };
    if (body) {
      headers['content-type'] = 'application/json';
    }
    const token = auth && (await deadline.race(auth.token()).catch(noToken(call)));
    if (token !== undefined) {
      headers['authorization'] = `Bearer ${token}`;
      headers['x-goog-user-project'] = project;
    }
    if (deadline.signal.aborted) {
      throw notSent(call, 'given up before it was sent', deadline.signal.reason);
    }
    try {
      const response = await fetch(url + path, {
        method: body ? 'POST' : 'GET',
        headers,
        // Nobody hands over shared memory, which fetch's types exclude.
        body: (body as Uint8Array<ArrayBuffer> | undefined) ?? null,
        signal: deadline.signal,
        redirect: 'manual',
      });
      const quota = response.headers.get('x-earth-engine-quota-status');
      if (quota !== null) {
        observer?.quotaStatus(project, quota.includes('parallelism_restricted=true'));
      }
      if (response.ok) {
        return JSON.parse(await readText(response, MAX_ANSWER_BYTES));
      }
      if (response.status === 401 && token !== undefined) {
        auth?.drop(token);
      }
      throw refusal(
        call,
        {
          httpStatus: response.status,
          body: await readText(response, MAX_REFUSAL_BYTES, 'cut'),
          retryAfter: response.headers.get('retry-after'),
        },
        now(),
      );
    } catch (error) {
      throw error instanceof EarthEngineError ? error : failure(call, asError(error), deadline.signal);
    }
  }

  function operationCall(
    kind: 'get' | 'cancel',
    operation: string,
    options: OperationCallOptions,
  ): [Call, string, string] {
    if (!isOperationName(operation)) {
      throw badName(operation);
    }
    const [, project, , id] = operation.split('/').map(encodeSegment) as [string, string, string, string];
    const path = `/v1/projects/${project}/operations/${id}${kind === 'cancel' ? ':cancel' : ''}`;
    const call: Call = { kind, name: `${kind === 'cancel' ? 'POST' : 'GET'} ${path}` };
    return [call, options.project ?? projectOf(operation), path];
  }

  return {
    async startExport(project, request, options) {
      const path = `/v1/projects/${encodeSegment(project)}/video:export`;
      const call: Call = { kind: 'export', name: `POST ${path}` };
      const started = readOperation(call, await send(call, project, path, request, options));
      // All that is asked of it later, cancelling too, would go to that project.
      if (isOfAnotherProject(started.name, project)) {
        unreadable(call, 'an operation of another project');
      }
      return started;
    },

    async getOperation(operation, options) {
      const [call, project, path] = operationCall('get', operation, options);
      const found = readOperation(call, await send(call, project, path, undefined, options));
      // Its end would be taken for the other's.
      if (!sameOperation(found.name, operation) || isOfAnotherProject(found.name, projectOf(operation))) {
        unreadable(call, 'another operation');
      }
      return found;
    },

    async listOperations(project, pageToken, options) {
      const path = `/v1/projects/${encodeSegment(project)}/operations`;
      const call: Call = { kind: 'list', name: `GET ${path}` };
      const page = pageToken === undefined ? '' : `&pageToken=${encodeURIComponent(pageToken)}`;
      const json = await send(call, project, `${path}?pageSize=${PAGE_SIZE}${page}`, undefined, options);
      return parseOperationPage(json) ?? unreadable(call, 'no page of operations');
    },

    async cancelOperation(operation, options) {
      const [call, project, path] = operationCall('cancel', operation, options);
      await send(call, project, path, new TextEncoder().encode('{}'), options);
    },

    async serviceAccount() {
      if (!auth) {
        return undefined;
      }
      account ??= auth.serviceAccount();
      try {
        return await account;
      } catch (error) {
        account = undefined;
        const call: Call = { kind: 'get', name: 'Looking up the service account' };
        throw notSent(call, asError(error).message, error);
      }
    },
  };
}

/**
 * Application default credentials: on Google Cloud the function's own service account.
 *
 * The library is loaded with the first token, since it costs a cold start some 40 ms; one token request serves everyone
 * who waits for it.
 *
 * @param project the Google Cloud project of the service; without it the library would run gcloud to find out
 */
export function applicationDefaultCredentials(project: string): TokenSource {
  const load = async () => {
    const { GoogleAuth } = await import('google-auth-library');
    return new GoogleAuth({ scopes: SCOPE, projectId: project });
  };
  let credentials: ReturnType<typeof load> | undefined;
  let current: string | undefined;
  let pending: Promise<string> | undefined;

  async function fetchToken(): Promise<string> {
    try {
      credentials ??= load();
      // The library keeps the token until shortly before it expires.
      const token = await (await credentials).getAccessToken();
      if (!token) {
        throw new Error('the credentials gave no access token');
      }
      current = token;
      return token;
    } catch (error) {
      // It also remembers a failed look for credentials.
      credentials = undefined;
      throw error;
    } finally {
      pending = undefined;
    }
  }

  return {
    token: () => (pending ??= fetchToken()),
    drop(token) {
      // Several calls may be refused with one token; the second must not drop what the first made way for.
      if (token === current) {
        credentials = undefined;
        current = undefined;
      }
    },
    async serviceAccount() {
      const { client_email } = await (await (credentials ??= load())).getCredentials();
      return client_email;
    },
  };
}

function readOperation(call: Call, json: unknown): Operation {
  return parseOperation(json) ?? unreadable(call, 'no operation with a name');
}

/** A Cloud project in a path: `:` is legal there and part of domain-scoped project ids. */
function encodeSegment(segment: string): string {
  return encodeURIComponent(segment).replaceAll('%3A', ':');
}

/** A timer per call that ends with it, rather than AbortSignal.timeout, whose timers outlive thousands of calls. */
function startDeadline({ timeoutMs, signal: caller }: CallOptions) {
  const controller = new AbortController();
  const timer = setTimeout(
    () => controller.abort(new DOMException(`No answer within ${timeoutMs} ms`, 'TimeoutError')),
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
    /** `promise`, or the abort where that comes first. */
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

/** The body as text. More than `limit` bytes are an error, or cut off: what comes after is never held in memory. */
async function readText(response: Response, limit: number, excess: 'cut' | 'refuse' = 'refuse') {
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
      if (excess === 'cut') {
        return text + decoder.decode(chunk).slice(0, limit);
      }
      throw new Error(`the answer is longer than ${limit} bytes`);
    }
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

/** What EE says of a project, for somebody who sets things up. */
export interface ProjectLook {
  readonly httpStatus: number;
  /** `REGISTERED_COMMERCIALLY`, `NOT_REGISTERED` …, where it answered with a configuration. */
  readonly registration: string | undefined;
  /** What it said instead. */
  readonly refusal: string | undefined;
  /** When it answered, by its own clock. */
  readonly date: Date | undefined;
}

/**
 * `GET /v1/projects/P/config`, whatever the answer
 * (https://developers.google.com/earth-engine/reference/rest/v1/projects/getConfig).
 *
 * @throws where there is no token or no connection
 */
export async function getProjectConfig(
  { url, auth, fetch = globalThis.fetch }: EarthEngineOptions,
  project: string,
  options: CallOptions,
): Promise<ProjectLook> {
  using deadline = startDeadline(options);
  const token = auth && (await deadline.race(auth.token()));
  const headers: Record<string, string> =
    token === undefined ? {} : { authorization: `Bearer ${token}`, 'x-goog-user-project': project };
  const response = await fetch(`${url}/v1/projects/${encodeSegment(project)}/config`, {
    headers,
    signal: deadline.signal,
    redirect: 'manual',
  });
  const text = await readText(response, MAX_REFUSAL_BYTES, 'cut');
  const date = new Date(response.headers.get('date') ?? '');
  return {
    httpStatus: response.status,
    registration: response.ok ? textIn(text, ['registrationState']) : undefined,
    refusal: response.ok ? undefined : (textIn(text, ['error', 'message']) ?? `HTTP ${response.status}`),
    date: Number.isNaN(date.getTime()) ? undefined : date,
  };
}

function textIn(json: string, path: readonly string[]): string | undefined {
  try {
    let value: unknown = JSON.parse(json);
    for (const name of path) {
      value = (value as Record<string, unknown> | null | undefined)?.[name];
    }
    return typeof value === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}

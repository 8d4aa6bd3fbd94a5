import type { SimulatorRequest } from '../simulator/index.ts';
import { createObjects, type Objects, type SimulatedObject } from './objects.ts';

/**
 * Cloud Storage's JSON API, as far as the service uses it: list, metadata, ranged reads, and rewrite, with preconditions.
 * https://cloud.google.com/storage/docs/json_api/v1
 */

export type StorageCall = 'list' | 'get' | 'read' | 'copy' | 'unknown';

/** A fault of one request. */
export type StorageFault =
  | { readonly kind: 'status'; readonly status: number; readonly message?: string }
  /** The connection is lost before any work. */
  | { readonly kind: 'reset' }
  /** The work is done, and the response is lost. */
  | { readonly kind: 'lost' }
  /** No response until the caller gives up. */
  | { readonly kind: 'silence' };

export interface StorageReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

export type StorageAnswer = StorageReply | 'RESET' | 'SILENCE';

export interface StorageSettings {
  /** Buckets that the caller may not use. */
  readonly denied: readonly string[];
  /** Buckets that do not exist; any other one does. */
  readonly missing: readonly string[];
  /** Objects per page of a list, at most. */
  readonly pageSize: number;
}

export interface SimulatedStorage {
  handle(request: SimulatorRequest): StorageAnswer;
  readonly objects: Objects;
  settings: StorageSettings;
  /** The next `times` calls of a kind fail in this way. */
  failNext(call: StorageCall, fault: StorageFault, times?: number): void;
  readonly counters: { readonly calls: Record<StorageCall, number>; bytesRead: number };
}

export function createStorage({
  now = () => new Date(),
  advance = () => {},
}: {
  readonly now?: () => Date;
  /** Lets the world that writes the objects catch up with the clock. */
  readonly advance?: () => void;
} = {}): SimulatedStorage {
  const objects = createObjects(now);
  const faults: { readonly call: StorageCall; readonly fault: StorageFault }[] = [];
  const storage: SimulatedStorage = {
    objects,
    settings: { denied: [], missing: [], pageSize: 1000 },
    counters: { calls: { list: 0, get: 0, read: 0, copy: 0, unknown: 0 }, bytesRead: 0 },
    failNext: (call, fault, times = 1) => {
      faults.push(...Array.from({ length: times }, () => ({ call, fault })));
    },
    handle(request) {
      advance();
      const url = new URL(request.path, 'http://storage');
      const route = routeOf(request.method, url);
      storage.counters.calls[route.call] += 1;
      const index = faults.findIndex(({ call }) => call === route.call);
      const [scripted] = index === -1 ? [] : faults.splice(index, 1);
      const fault = scripted?.fault;
      switch (fault?.kind) {
        case 'status':
          return failure(fault.status, fault.message ?? 'Simulated failure.');
        case 'reset':
          return 'RESET';
        case 'silence':
          return 'SILENCE';
        case 'lost':
          answer(storage, route, url, request);
          return 'RESET';
        case undefined:
          return answer(storage, route, url, request);
      }
    },
  };
  return storage;
}

interface Route {
  readonly call: StorageCall;
  readonly bucket: string;
  readonly name: string;
  readonly target?: { readonly bucket: string; readonly name: string };
}

/** The official client leaves /storage/v1 out of its paths if STORAGE_EMULATOR_HOST is set. */
const path =
  /^(?:\/download)?(?:\/storage\/v1)?\/b\/([^/]+)\/o(?:\/([^/]+)(?:\/rewriteTo\/b\/([^/]+)\/o\/([^/]+))?)?$/;

function routeOf(method: string, url: URL): Route {
  const [, bucket, name, toBucket, toName] = (path.exec(url.pathname) ?? []).map((part) =>
    part === undefined ? undefined : decodeURIComponent(part),
  );
  if (bucket === undefined) {
    return { call: 'unknown', bucket: '', name: '' };
  }
  if (toBucket !== undefined && toName !== undefined) {
    const call = method === 'POST' ? 'copy' : 'unknown';
    return { call, bucket, name: name ?? '', target: { bucket: toBucket, name: toName } };
  }
  if (method !== 'GET') {
    return { call: 'unknown', bucket, name: name ?? '' };
  }
  const call = name === undefined ? 'list' : url.searchParams.get('alt') === 'media' ? 'read' : 'get';
  return { call, bucket, name: name ?? '' };
}

function answer(storage: SimulatedStorage, route: Route, url: URL, request: SimulatorRequest): StorageReply {
  const { settings, objects } = storage;
  const refused = [route.bucket, ...(route.target ? [route.target.bucket] : [])]
    .map((bucket) => refusal(settings, bucket))
    .find((reply) => reply !== undefined);
  if (refused) {
    return refused;
  }
  if (route.call === 'unknown') {
    return failure(404, 'Not Found');
  }
  if (route.call === 'list') {
    return list(storage, route.bucket, url.searchParams);
  }
  const object = objects.get(route.bucket, route.name);
  const generation = url.searchParams.get(route.call === 'copy' ? 'sourceGeneration' : 'generation');
  if (object === undefined || (generation !== null && generation !== object.generation)) {
    return failure(404, `No such object: ${route.bucket}/${route.name}`);
  }
  switch (route.call) {
    case 'get':
      return json(resource(object));
    case 'read':
      return read(storage, object, request.headers['range']);
    case 'copy':
      return copy(storage, object, route, url.searchParams);
  }
}

function refusal({ denied, missing }: StorageSettings, bucket: string): StorageReply | undefined {
  if (missing.includes(bucket)) {
    return failure(404, 'The specified bucket does not exist.');
  }
  return denied.includes(bucket)
    ? failure(
        403,
        `The caller does not have storage.objects.list access to the Google Cloud Storage bucket ${bucket}.`,
      )
    : undefined;
}

function list({ objects, settings }: SimulatedStorage, bucket: string, query: URLSearchParams): StorageReply {
  const all = objects.list(bucket, query.get('prefix') ?? '');
  const from = Number(query.get('pageToken') ?? 0);
  const size = Math.min(settings.pageSize, Number(query.get('maxResults') ?? settings.pageSize));
  const next = from + size < all.length ? { nextPageToken: String(from + size) } : {};
  const items = all.slice(from, from + size).map(resource);
  // As the real one does, it leaves out an empty list.
  return json({ kind: 'storage#objects', ...next, ...(items.length > 0 ? { items } : {}) });
}

function read(storage: SimulatedStorage, object: SimulatedObject, range?: string): StorageReply {
  const [, first = '0', last = ''] = /^bytes=(\d+)-(\d*)$/.exec(range ?? '') ?? [];
  const end = Math.min(object.data.length, last === '' ? object.data.length : Number(last) + 1);
  const start = Number(first);
  if (range !== undefined && start >= object.data.length) {
    return failure(416, 'The requested range cannot be satisfied.');
  }
  const body = object.data.subarray(start, end);
  storage.counters.bytesRead += body.length;
  return {
    status: range === undefined ? 200 : 206,
    headers: {
      'content-type': object.contentType,
      'x-goog-generation': object.generation,
      'x-goog-hash': `crc32c=${object.crc32c}`,
      'x-goog-stored-content-encoding': 'identity',
      ...(range === undefined ? {} : { 'content-range': `bytes ${start}-${end - 1}/${object.data.length}` }),
    },
    body,
  };
}

function copy(
  { objects }: SimulatedStorage,
  source: SimulatedObject,
  { target = source }: Route,
  query: URLSearchParams,
): StorageReply {
  const expected = query.get('ifGenerationMatch');
  const existing = objects.get(target.bucket, target.name);
  if (expected !== null && expected !== (existing?.generation ?? '0')) {
    return failure(412, 'At least one of the pre-conditions you specified did not hold.');
  }
  const { data, crc32c, contentType } = source;
  const createdMs = objects.now().getTime();
  const copied = objects.put({ ...target, data, crc32c, contentType, createdMs });
  return json({ kind: 'storage#rewriteResponse', done: true, resource: resource(copied) });
}

/** https://cloud.google.com/storage/docs/json_api/v1/objects#resource */
function resource({ bucket, name, generation, data, crc32c, contentType, createdMs }: SimulatedObject) {
  const created = new Date(createdMs).toISOString();
  return {
    kind: 'storage#object',
    id: `${bucket}/${name}/${generation}`,
    bucket,
    name,
    generation,
    metageneration: '1',
    contentType,
    size: String(data.length),
    crc32c,
    timeCreated: created,
    updated: created,
  };
}

function json(body: object, status = 200): StorageReply {
  const headers = { 'content-type': 'application/json; charset=UTF-8' };
  return { status, headers, body: Buffer.from(JSON.stringify(body)) };
}

/** https://cloud.google.com/storage/docs/json_api/v1/status-codes */
function failure(code: number, message: string): StorageReply {
  const reasons: Readonly<Record<number, string>> = {
    403: 'forbidden',
    404: 'notFound',
    412: 'conditionNotMet',
  };
  const reason = reasons[code] ?? 'backendError';
  return json({ error: { code, message, errors: [{ message, domain: 'global', reason }] } }, code);
}

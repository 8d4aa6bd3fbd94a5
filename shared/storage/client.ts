import { Readable } from 'node:stream';

import { type Bucket, CRC32C, type FileMetadata, Storage } from '@google-cloud/storage';

import { SECOND_MS } from '../clock.ts';
import { asError } from '../errors.ts';
import {
  type CloudStorage,
  kindOfStatus,
  type ObjectList,
  type ObjectName,
  type ObjectVersion,
  StorageError,
  type StorageErrorKind,
  type StoredObject,
  uriOf,
} from './api.ts';

/** A call that takes longer has no response: nothing that the service reads at once is large. */
const TIMEOUT_MS = 10 * SECOND_MS;
const PAGE = 1000;
/** Within a location, a copy takes no time; to another one, gigabytes are moved. */
const COPY_TIMEOUT_FACTOR = 6;
/** A rewrite of a large object to another location takes several calls. */
const MAX_REWRITES = 100;

export interface CloudStorageOptions {
  readonly projectId: string;
  /** `http://host:port` of an emulator: then no credentials are used. */
  readonly emulatorHost?: string | undefined;
  readonly timeoutMs?: number;
}

/**
 * Cloud Storage with the official client, which is loaded with this module. It does not retry: the poller looks again later,
 * and a download resumes by itself.
 */
export function createCloudStorage({
  projectId,
  emulatorHost,
  timeoutMs = TIMEOUT_MS,
}: CloudStorageOptions): CloudStorage {
  const storage = new Storage({
    projectId,
    retryOptions: { autoRetry: false },
    // The client itself reads STORAGE_EMULATOR_HOST too, and then leaves /storage/v1 out of its paths.
    ...(emulatorHost === undefined ? {} : { apiEndpoint: emulatorHost }),
  });

  const call = async <R>(
    action: string,
    object: ObjectName,
    work: () => Promise<R>,
    limitMs = timeoutMs,
  ): Promise<R> => {
    const { promise: late, reject } = Promise.withResolvers<never>();
    const what = `Cloud Storage did not ${action} ${uriOf(object)}`;
    const timer = setTimeout(
      () => reject(new StorageError('UNAVAILABLE', `${what}: no response within ${limitMs} ms`)),
      limitMs,
    );
    try {
      return await Promise.race([work(), late]);
    } catch (thrown) {
      throw thrown instanceof StorageError ? thrown : errorOf(thrown, what);
    } finally {
      clearTimeout(timer);
    }
  };

  const source = ({ bucket, name, generation }: ObjectVersion, start = 0, end?: number): Readable =>
    storage
      .bucket(bucket)
      .file(name, { generation })
      .createReadStream({
        ...(start === 0 && end === undefined ? {} : { start }),
        ...(end === undefined ? {} : { end: end - 1 }),
        validation: false,
        decompress: false,
      });

  return {
    list: (bucket, prefix, limit) =>
      call('list', { bucket, name: prefix }, () => list(storage.bucket(bucket), prefix, limit)),

    get: (object) =>
      call('describe', object, async () => {
        try {
          const [metadata] = await storage.bucket(object.bucket).file(object.name).getMetadata();
          return objectOf(object.bucket, metadata);
        } catch (thrown) {
          if (kindOf(thrown) === 'NOT_FOUND') {
            return undefined;
          }
          throw thrown;
        }
      }),

    read: (object, start, end) =>
      call('read', object, async () => {
        const stream = source(object, start, end);
        try {
          return Buffer.concat(await stream.toArray());
        } finally {
          stream.destroy();
        }
      }),

    stream: (object, start, end) =>
      Readable.from(explained(source(object, start, end), `Cloud Storage did not read ${uriOf(object)}`), {
        objectMode: false,
      }),

    copy: (object, target) =>
      call(
        'copy',
        object,
        () => rewrite(storage.bucket(object.bucket), object, target),
        COPY_TIMEOUT_FACTOR * timeoutMs,
      ),

    checksum() {
      const crc32c = new CRC32C();
      return { update: (data) => crc32c.update(Buffer.from(data)), toString: () => crc32c.toString() };
    },
  };
}

async function* explained(stream: Readable, what: string): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of stream) {
      yield chunk as Uint8Array;
    }
  } catch (thrown) {
    throw errorOf(thrown, what);
  }
}

async function list(bucket: Bucket, prefix: string, limit: number): Promise<ObjectList> {
  const objects: StoredObject[] = [];
  let pageToken: string | undefined;
  do {
    const [files, next] = await bucket.getFiles({
      prefix,
      autoPaginate: false,
      maxResults: Math.min(PAGE, limit - objects.length),
      ...(pageToken === undefined ? {} : { pageToken }),
    });
    objects.push(...files.map(({ metadata }) => objectOf(bucket.name, metadata)));
    pageToken = (next as { readonly pageToken?: string } | null)?.pageToken;
  } while (pageToken !== undefined && objects.length < limit);
  return { objects, isComplete: pageToken === undefined };
}

function objectOf(bucket: string, metadata: FileMetadata): StoredObject {
  const { name = '', generation = '', size = 0, crc32c, timeCreated, updated } = metadata;
  return {
    bucket,
    name,
    generation: String(generation),
    bytes: Number(size),
    crc32c,
    createdAt: new Date(timeCreated ?? updated ?? 0),
  };
}

interface RewriteResponse {
  readonly done?: boolean;
  readonly rewriteToken?: string;
}

/**
 * `file.copy()` drops the preconditions from every call after the first, and a large object would then replace one that was
 * written meanwhile. So this makes the calls itself.
 */
async function rewrite(bucket: Bucket, object: ObjectVersion, target: ObjectName): Promise<void> {
  let rewriteToken: string | undefined;
  for (let calls = 0; calls < MAX_REWRITES; calls += 1) {
    const qs = {
      sourceGeneration: object.generation,
      ifGenerationMatch: 0,
      // Without a value, it would be sent empty.
      ...(rewriteToken === undefined ? {} : { rewriteToken }),
    };
    const uri = `/o/${encodeURIComponent(object.name)}/rewriteTo/b/${target.bucket}/o/${encodeURIComponent(target.name)}`;
    const response = await new Promise<RewriteResponse>((resolve, reject) => {
      bucket.request({ method: 'POST', uri, qs, json: {} }, (error, body) =>
        error ? reject(error) : resolve((body ?? {}) as RewriteResponse),
      );
    });
    ({ rewriteToken } = response);
    if (rewriteToken === undefined || response.done === true) {
      return;
    }
  }
  throw new StorageError('UNAVAILABLE', `Cloud Storage did not finish copying to ${uriOf(target)}`);
}

function errorOf(thrown: unknown, what: string): StorageError {
  // Its message is one line of a JSON or HTML page.
  const message = asError(thrown).message.replaceAll(/\s+/g, ' ').slice(0, 300);
  return new StorageError(kindOf(thrown), `${what}: ${message}`, { cause: thrown });
}

/** Errors of the network have a code that is a word. */
function kindOf(thrown: unknown): StorageErrorKind {
  const status = Number((thrown as { readonly code?: unknown }).code);
  return kindOfStatus(Number.isInteger(status) ? status : undefined);
}

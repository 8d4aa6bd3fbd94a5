import { Readable } from 'node:stream';

import { CRC32C } from '@google-cloud/storage';

import {
  type CloudStorage,
  kindOfStatus,
  type ObjectName,
  StorageError,
  type StoredObject,
  uriOf,
} from '../../../shared/storage/api.ts';
import type { SimulatedStorage, StorageReply } from './storage.ts';

/**
 * The service's view of simulated buckets without sockets, for tests that move the clock. It passes the same contract tests
 * as the official client over HTTP. A call without a response fails at once.
 */
export function inProcessStorage(storage: SimulatedStorage): CloudStorage {
  const call = (path: string, object: ObjectName, method = 'GET', range?: string): StorageReply => {
    const headers = range === undefined ? {} : { range };
    const reply = storage.handle({ method, path, headers, body: new Uint8Array() });
    if (typeof reply === 'string') {
      throw new StorageError('UNAVAILABLE', `Cloud Storage did not respond about ${uriOf(object)}`);
    }
    if (reply.status >= 300) {
      const { error } = jsonOf(reply) as { error: { message: string } };
      throw new StorageError(kindOfStatus(reply.status), `${uriOf(object)}: ${error.message}`);
    }
    return reply;
  };
  const read: CloudStorage['read'] = async (object, start, end) =>
    call(
      `${pathOf(object)}?alt=media&generation=${object.generation}`,
      object,
      'GET',
      `bytes=${start}-${end - 1}`,
    ).body;

  return {
    async list(bucket, prefix, limit) {
      const query = new URLSearchParams({ prefix, maxResults: String(limit) });
      const { items = [], nextPageToken } = jsonOf(
        call(`/b/${bucket}/o?${query.toString()}`, { bucket, name: prefix }),
      ) as { items?: Resource[]; nextPageToken?: string };
      return { objects: items.map(objectOf), isComplete: nextPageToken === undefined };
    },
    async get(object) {
      try {
        return objectOf(jsonOf(call(pathOf(object), object)) as Resource);
      } catch (error) {
        if (error instanceof StorageError && error.kind === 'NOT_FOUND') {
          return undefined;
        }
        throw error;
      }
    },
    read,
    stream: (object, start = 0, end = Number.MAX_SAFE_INTEGER) =>
      Readable.from(
        (async function* () {
          yield await read(object, start, end);
        })(),
      ),
    async copy(object, target) {
      const query = `ifGenerationMatch=0&sourceGeneration=${object.generation}`;
      call(`${pathOf(object)}/rewriteTo${pathOf(target)}?${query}`, object, 'POST');
    },
    checksum() {
      const crc32c = new CRC32C();
      return { update: (data) => crc32c.update(Buffer.from(data)), toString: () => crc32c.toString() };
    },
  };
}

interface Resource {
  readonly bucket: string;
  readonly name: string;
  readonly generation: string;
  readonly size: string;
  readonly crc32c: string;
  readonly timeCreated: string;
}

const pathOf = ({ bucket, name }: ObjectName): string => `/b/${bucket}/o/${encodeURIComponent(name)}`;

const jsonOf = ({ body }: StorageReply): unknown => JSON.parse(Buffer.from(body).toString());

const objectOf = ({ bucket, name, generation, size, crc32c, timeCreated }: Resource): StoredObject => ({
  bucket,
  name,
  generation,
  bytes: Number(size),
  crc32c,
  createdAt: new Date(timeCreated),
});

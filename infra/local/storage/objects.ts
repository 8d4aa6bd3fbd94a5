import { CRC32C } from '@google-cloud/storage';

/** Objects of simulated buckets, as Cloud Storage's JSON API describes them. */

export interface SimulatedObject {
  readonly bucket: string;
  readonly name: string;
  readonly generation: string;
  readonly data: Uint8Array;
  /** Base64, as Cloud Storage reports it. It can be set wrong on purpose. */
  readonly crc32c: string;
  readonly contentType: string;
  /** The object does not exist before this time. */
  readonly createdMs: number;
}

export type NewObject = Pick<SimulatedObject, 'bucket' | 'name' | 'data' | 'createdMs'> &
  Partial<Pick<SimulatedObject, 'crc32c' | 'contentType'>>;

export interface Objects {
  /** Writes an object. One with the same name is replaced when the new one begins to exist. */
  put(object: NewObject): SimulatedObject;
  get(bucket: string, name: string): SimulatedObject | undefined;
  /** In the order of their names. */
  list(bucket: string, prefix: string): SimulatedObject[];
  readonly now: () => Date;
}

export function createObjects(now: () => Date): Objects {
  const buckets = new Map<string, Map<string, SimulatedObject[]>>();
  let generations = 0;

  /** The newest version that exists by now. */
  const current = (versions: readonly SimulatedObject[] = []): SimulatedObject | undefined => {
    const existing = versions.filter(({ createdMs }) => createdMs <= now().getTime());
    return existing.reduce<SimulatedObject | undefined>(
      (newest, version) => (newest && newest.createdMs > version.createdMs ? newest : version),
      undefined,
    );
  };

  return {
    now,
    put({ crc32c, contentType = 'video/mp4', ...given }) {
      generations += 1;
      const object: SimulatedObject = {
        ...given,
        // As in Cloud Storage, microseconds since 1970, made unique.
        generation: String(given.createdMs * 1000 + (generations % 1000)),
        crc32c: crc32c ?? checksum(given.data),
        contentType,
      };
      const bucket = buckets.get(object.bucket) ?? new Map<string, SimulatedObject[]>();
      buckets.set(object.bucket, bucket);
      bucket.set(object.name, [...(bucket.get(object.name) ?? []), object]);
      return object;
    },
    get: (bucket, name) => current(buckets.get(bucket)?.get(name)),
    list: (bucket, prefix) =>
      [...(buckets.get(bucket) ?? [])]
        .filter(([name]) => name.startsWith(prefix))
        .flatMap(([, versions]) => current(versions) ?? [])
        .sort((a, b) => (a.name < b.name ? -1 : 1)),
  };
}

function checksum(data: Uint8Array): string {
  const crc32c = new CRC32C();
  crc32c.update(Buffer.from(data));
  return crc32c.toString();
}

import type { Readable } from 'node:stream';

import { ServiceError } from '../errors.ts';

/** Cloud Storage, as far as the service uses it. Nothing here deletes or replaces an object. */

export interface ObjectName {
  readonly bucket: string;
  readonly name: string;
}

/** One version of an object: its content never changes. */
export interface ObjectVersion extends ObjectName {
  readonly generation: string;
}

export interface StoredObject extends ObjectVersion {
  readonly bytes: number;
  /** Base64; a composite object may lack it. */
  readonly crc32c: string | undefined;
  readonly createdAt: Date;
}

export interface ObjectList {
  readonly objects: readonly StoredObject[];
  /** False if the limit ended the list. */
  readonly isComplete: boolean;
}

export interface CloudStorage {
  /** Objects whose names begin with a prefix, in the order of their names. @throws StorageError */
  list(bucket: string, prefix: string, limit: number): Promise<ObjectList>;
  /** The current version of an object; undefined if there is none. @throws StorageError */
  get(object: ObjectName): Promise<StoredObject | undefined>;
  /** The bytes from `start` up to, not including, `end`. @throws StorageError, NOT_FOUND if the version was replaced */
  read(object: ObjectVersion, start: number, end: number): Promise<Uint8Array>;
  /** The same as a stream, without a time limit: to the end of the object if `end` is not set. Its errors are StorageErrors. */
  stream(object: ObjectVersion, start?: number, end?: number): Readable;
  /** Copies an object within Cloud Storage if none exists at the target. @throws StorageError, CONFLICT if one exists */
  copy(object: ObjectVersion, target: ObjectName): Promise<void>;
  /** To compare content with `crc32c`. */
  checksum(): Checksum;
}

export interface Checksum {
  update(data: Uint8Array): void;
  /** Base64 */
  toString(): string;
}

export type StorageErrorKind =
  /** 401, 403: a role is missing. */
  | 'DENIED'
  /** The bucket does not exist, or the version of the object no longer does. */
  | 'NOT_FOUND'
  /** The target of a copy exists. */
  | 'CONFLICT'
  /** No response, 429, 5xx: later it may succeed. */
  | 'UNAVAILABLE'
  /** Any other response. */
  | 'REFUSED';

export class StorageError extends ServiceError {
  override readonly name = 'StorageError';
  readonly kind: StorageErrorKind;

  constructor(kind: StorageErrorKind, message: string, options?: ErrorOptions) {
    super(`STORAGE_${kind}`, message, options);
    this.kind = kind;
  }
}

export const uriOf = ({ bucket, name }: ObjectName): string => `gs://${bucket}/${name}`;

/** @returns undefined if the text is not `gs://bucket/name` */
export function parseUri(uri: string): ObjectName | undefined {
  const [, bucket, name] = /^gs:\/\/([^/]+)\/(.*)$/s.exec(uri) ?? [];
  return bucket === undefined || name === undefined ? undefined : { bucket, name };
}

/** What an HTTP status of Cloud Storage means; undefined or 0 if there was no response. */
export function kindOfStatus(status: number | undefined): StorageErrorKind {
  switch (status) {
    case 401:
    case 403:
      return 'DENIED';
    case 404:
      return 'NOT_FOUND';
    case 412:
      return 'CONFLICT';
    case undefined:
    case 0:
    case 408:
    case 429:
      return 'UNAVAILABLE';
    default:
      return status >= 500 ? 'UNAVAILABLE' : 'REFUSED';
  }
}

import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { constants, zstdCompress, zstdCompressSync, zstdDecompress } from 'node:zlib';

import { UnreadableError } from '../errors.ts';

/** One document of `videoExports/{id}/request`: a part of the compressed request, and the checksum of the whole. */
export interface RequestPart {
  readonly data: Uint8Array;
  readonly encoding: 'zstd';
  /** How many parts there are. */
  readonly parts: number;
  /** Of the data of all parts together, in hex. */
  readonly sha256: string;
  /** Size of the uncompressed request. */
  readonly bytes: number;
}

/** Firestore's limit is 1 MiB per document, including its name and its other fields. */
const PART_BYTES = 1_000_000;

/**
 * How many parts are written in the commit that creates or replaces their record. Firestore accepts 10 MiB per commit, its
 * emulator 4 MiB. Any further parts are written ahead (`partId`).
 */
export const COMMITTED_PARTS = 3;

/**
 * The id of part `n`: its number. Parts that are written ahead, before a claim wins, are also named by their content: no
 * other sender's bytes can replace them, and the same bytes written twice are the same documents.
 */
export const partId = (n: number, { sha256 }: Pick<RequestPart, 'sha256'>): string =>
  n < COMMITTED_PARTS ? String(n) : `${sha256}-${n}`;

/** Below this size, compression takes less time than a round trip to another thread. */
const SYNC_BYTES = 16_384;

const fast = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };

/** Compresses a request and splits it into parts. */
export async function splitRequest(request: Uint8Array): Promise<RequestPart[]> {
  const data =
    request.length <= SYNC_BYTES
      ? zstdCompressSync(request, fast)
      : await promisify(zstdCompress)(request, fast);
  const parts = Math.max(1, Math.ceil(data.length / PART_BYTES));
  const sha256 = hash(data);
  return Array.from({ length: parts }, (_, n) => ({
    data: data.subarray(n * PART_BYTES, (n + 1) * PART_BYTES),
    encoding: 'zstd',
    parts,
    sha256,
    bytes: request.length,
  }));
}

/**
 * Reverses `splitRequest`.
 *
 * @param path names the request in errors
 * @param parts the fields of the part documents in their order; undefined for a missing one
 * @throws UnreadableError if parts are missing, belong to different requests, or are damaged
 */
export async function joinRequest(
  path: string,
  parts: readonly (Partial<RequestPart> | undefined)[],
): Promise<Uint8Array> {
  const data = Buffer.concat(
    parts.map((part, n) => {
      if (part?.data instanceof Uint8Array) {
        return part.data;
      }
      throw new UnreadableError(path, `part ${n} is missing or has no data`);
    }),
  );
  const { sha256, bytes } = parts[0] ?? {};
  if (hash(data) !== sha256) {
    throw new UnreadableError(path, 'its parts do not match their SHA-256');
  }
  const request = await promisify(zstdDecompress)(data);
  if (request.length !== bytes) {
    throw new UnreadableError(path, `it decompresses to ${request.length} bytes instead of ${bytes}`);
  }
  return new Uint8Array(request.buffer, request.byteOffset, request.length);
}

const hash = (data: Uint8Array): string => createHash('sha256').update(data).digest('hex');

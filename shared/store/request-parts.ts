import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { constants, zstdCompress, zstdCompressSync, zstdDecompress } from 'node:zlib';

import { UnreadableError } from '../errors.ts';

/** One document of `videoExports/{id}/request`: a piece of the compressed request, and what proves the whole. */
export interface RequestPart {
  readonly data: Uint8Array;
  readonly encoding: 'zstd';
  /** How many parts there are. */
  readonly parts: number;
  /** Of all parts' data together, in hex. */
  readonly sha256: string;
  /** Size of the request itself. */
  readonly bytes: number;
}

/** Firestore's limit is 1 MiB for a document with its name and its other fields. */
const PART_BYTES = 1_000_000;

/**
 * How many parts are written in the one commit that creates or replaces their record. Firestore takes 10 MiB in a
 * commit, its emulator 4 MiB. A request of more parts has the others written ahead (`partId`).
 */
export const COMMITTED_PARTS = 3;

/**
 * The id of part `n`: its number. Parts that are written ahead, before it is known whose claim wins, are named by their
 * content as well: then nobody else's bytes can come to stand in their place, and the same bytes written twice are the
 * same documents.
 */
export const partId = (n: number, { sha256 }: Pick<RequestPart, 'sha256'>): string =>
  n < COMMITTED_PARTS ? String(n) : `${sha256}-${n}`;

/** Below this the compression is quicker than handing it to another thread and back. */
const SYNC_BYTES = 16_384;

const fast = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };

/** The request's bytes, compressed and cut. */
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
 * The bytes that `splitRequest` was given.
 *
 * @param path names the request in errors
 * @param parts the fields of the part documents in their order; undefined where one is missing
 * @throws UnreadableError when they are not all there, not of one request, or damaged
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
    throw new UnreadableError(path, 'its parts do not have their SHA-256');
  }
  const request = await promisify(zstdDecompress)(data);
  if (request.length !== bytes) {
    throw new UnreadableError(path, `it unpacks to ${request.length} bytes`);
  }
  return new Uint8Array(request.buffer, request.byteOffset, request.length);
}

const hash = (data: Uint8Array): string => createHash('sha256').update(data).digest('hex');

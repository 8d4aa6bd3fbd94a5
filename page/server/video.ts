import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';

import { type CloudStorage, StorageError } from '../../shared/storage/api.ts';
import type { Video } from '../views/video-object.ts';
import { securityHeaders } from './answer.ts';

/**
 * The bytes of a video, through this server: a signed URL in a page would let anyone read it, and buckets are not public. Only
 * the object that the delivery of a record names is read, in the version that was verified, from a bucket that jobs may use.
 */

/** Cloud Run limits a response with a length to 32 MiB. A player requests the next part by itself. */
const PART_BYTES = 8 * 1024 * 1024;

/** Sends the video, or the part of it that the request names. */
export async function sendVideo(
  request: IncomingMessage,
  response: ServerResponse,
  { object, bytes }: Video,
  storage: CloudStorage,
): Promise<void> {
  const range = rangeOf(request.headers.range, bytes);
  const headers = {
    ...securityHeaders,
    'accept-ranges': 'bytes',
    'cache-control': 'private, max-age=3600',
    'content-type': 'video/mp4',
    etag: `"${object.generation}"`,
  };
  if (range === 'INVALID') {
    response.writeHead(416, { ...headers, 'content-range': `bytes */${bytes}` }).end();
    return;
  }
  if (range) {
    response.writeHead(206, {
      ...headers,
      'content-length': range.end - range.start,
      'content-range': `bytes ${range.start}-${range.end - 1}/${bytes}`,
    });
  } else {
    response.writeHead(200, headers);
  }
  if (request.method === 'HEAD') {
    response.end();
    return;
  }
  try {
    await pipeline(storage.stream(object, range?.start, range?.end), response);
  } catch (error) {
    // A player that seeks or leaves closes the connection.
    if (error instanceof StorageError) {
      throw error;
    }
  }
}

interface Range {
  readonly start: number;
  /** After the last byte. */
  readonly end: number;
}

/** One range of a request (RFC 9110, section 14). Several at once are answered with everything, as the standard allows. */
export function rangeOf(header: string | undefined, bytes: number): Range | 'INVALID' | undefined {
  const [, first = '', last = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '') ?? [];
  if (first === '' && last === '') {
    return undefined;
  }
  const start = first === '' ? Math.max(0, bytes - Number(last)) : Number(first);
  const end = first === '' || last === '' ? bytes : Math.min(bytes, Number(last) + 1);
  return start < end ? { start, end: Math.min(end, start + PART_BYTES) } : 'INVALID';
}

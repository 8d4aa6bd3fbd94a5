import type { IncomingMessage, ServerResponse } from 'node:http';

import { securityHeaders } from './answer.ts';

/** A file of the page, as `npm run build` makes it: its name has the hash of its content. */
export interface Asset {
  readonly name: string;
  readonly type: string;
  /** Compressed with Brotli, in base64. */
  readonly brotli: string;
  /** The same for the rare client without Brotli. */
  readonly gzip: string;
}

/** The files of the page. */
export interface Assets {
  readonly files: readonly Asset[];
  /** The names of those that every page loads. */
  readonly script: string;
  readonly style: string;
  readonly icon: string;
}

const YEAR_SECONDS = 31_536_000;

/** Sends one file. @returns whether there is one with this name */
export function sendAsset(
  request: IncomingMessage,
  response: ServerResponse,
  assets: Assets,
  name: string,
): boolean {
  const asset = assets.files.find((file) => file.name === name);
  if (!asset) {
    return false;
  }
  const accepted = request.headers['accept-encoding'] ?? '';
  const encoding = /\bbr\b/.test(accepted) ? 'br' : 'gzip';
  const bytes = Buffer.from(encoding === 'br' ? asset.brotli : asset.gzip, 'base64');
  response.writeHead(200, {
    ...securityHeaders,
    'cache-control': `private, max-age=${YEAR_SECONDS}, immutable`,
    'content-encoding': encoding,
    'content-length': bytes.length,
    'content-type': asset.type,
    vary: 'accept-encoding',
  });
  response.end(request.method === 'HEAD' ? undefined : bytes);
  return true;
}

import type { IncomingMessage, ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';

/**
 * Every response has these headers. The policy allows nothing but this server's own scripts, styles, and videos: text from a
 * message that got into the page as HTML could still not run or send anything.
 */
export const securityHeaders: Readonly<Record<string, string>> = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "media-src 'self'",
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; '),
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=(), interest-cohort=()',
  'referrer-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};

const types = {
  html: 'text/html; charset=utf-8',
  json: 'application/json; charset=utf-8',
  text: 'text/plain; charset=utf-8',
} as const;

export interface Answer {
  readonly status?: number;
  readonly type: keyof typeof types;
  readonly body: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

const COMPRESSED_FROM = 1000;
const brotli = promisify(brotliCompress);

/** Sends a document that no one else may keep. */
export async function send(
  request: IncomingMessage,
  response: ServerResponse,
  { status = 200, type, body, headers = {} }: Answer,
): Promise<void> {
  const { encoding, bytes } = await encode(request, Buffer.from(body as string));
  response.writeHead(status, {
    ...securityHeaders,
    'cache-control': 'no-store',
    'content-type': types[type],
    'content-length': bytes.length,
    vary: 'accept-encoding',
    ...(encoding ? { 'content-encoding': encoding } : {}),
    ...headers,
  });
  response.end(request.method === 'HEAD' ? undefined : bytes);
}

/** Cloud Run does not compress. A page of a hundred exports shrinks to a tenth. */
async function encode(
  { headers }: IncomingMessage,
  bytes: Buffer,
): Promise<{ encoding?: string; bytes: Buffer }> {
  const accepted = headers['accept-encoding'] ?? '';
  if (bytes.length < COMPRESSED_FROM) {
    return { bytes };
  }
  if (/\bbr\b/.test(accepted)) {
    const params = { [constants.BROTLI_PARAM_QUALITY]: 4 };
    return { encoding: 'br', bytes: await brotli(bytes, { params }) };
  }
  return /\bgzip\b/.test(accepted) ? { encoding: 'gzip', bytes: await promisify(gzip)(bytes) } : { bytes };
}

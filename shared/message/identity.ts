import { hash } from 'node:crypto';

import canonicalize from 'canonicalize';

import { readExpression } from './expression.ts';
import type { VideoRequest } from './job.ts';

/**
 * Who a job is. Everything here is part of the stored data: changing what a function returns makes a new job of every old
 * one, so it would need a new prefix instead of `ve1`.
 */

const RECORD_ID_BYTES = 20;
const DESCRIPTION_CHARACTERS = 100;

const recordIdSource = String.raw`ve1-[a-z2-7]{32}(?:-(?:[2-9]|[1-9]\d{1,2}))?`;
const requestIdSource = String.raw`(${recordIdSource})(?:-g([2-9]|[1-9]\d{1,3}))?`;
const requestIdPattern = new RegExp(`^${requestIdSource}$`);
const markerPattern = new RegExp(`(?:^|_)(${requestIdSource})$`);

/** SHA-256 (hex) over the request's meaning: canonical JSON (RFC 8785), in which the graph's hash stands for the graph. */
export function contentHashOf(request: VideoRequest, graphHash: string): string {
  return hash('sha256', canonicalJson({ ...request, expression: graphHash }), 'hex');
}

/** The same for a request whose graph was not hashed yet. It must be a valid one. */
export function contentHash(request: VideoRequest): string {
  return contentHashOf(request, graphHashOf(request));
}

/**
 * `ve1-` and 160 bits of SHA-256 over {project, jobKey} or, without a jobKey, {project, contentHash}, in base32; `-n` for
 * an attempt after the first.
 */
export function recordIdOf(job: {
  readonly project: string;
  readonly jobKey: string | undefined;
  readonly contentHash: string;
  readonly attempt: number;
}): string;
export function recordIdOf(job: {
  readonly project: string;
  readonly jobKey: string;
  readonly attempt: number;
}): string;
export function recordIdOf(job: {
  readonly project: string;
  readonly jobKey: string | undefined;
  readonly contentHash?: string;
  readonly attempt: number;
}): string {
  const { project, jobKey, attempt } = job;
  const identity = jobKey === undefined ? { contentHash: job.contentHash, project } : { jobKey, project };
  const digest = hash('sha256', canonicalJson(identity), 'buffer').subarray(0, RECORD_ID_BYTES);
  return `ve1-${base32(digest)}${attempt > 1 ? `-${attempt}` : ''}`;
}

/** What EE deduplicates by: the record id; from the second generation on, with `-g2`, `-g3` … */
export function requestIdOf(recordId: string, generation: number): string {
  return generation > 1 ? `${recordId}-g${generation}` : recordId;
}

/** The inverse of `requestIdOf`, for texts that are nothing else. */
export function parseRequestId(
  text: string,
): { readonly recordId: string; readonly generation: number } | undefined {
  const [, recordId, generation] = requestIdPattern.exec(text) ?? [];
  return recordId === undefined ? undefined : { recordId, generation: Number(generation ?? 1) };
}

/** EE's `description`: the caller's text, cleaned and cut, and the requestId, by which its operation is found again. */
export function markedDescription(description: string | undefined, requestId: string): string {
  const room = DESCRIPTION_CHARACTERS - requestId.length - 1;
  const text = clean(description ?? '').slice(0, room);
  return text === '' ? requestId : `${text}_${requestId}`;
}

/** The requestId at the end of an operation's description; anywhere else it is the caller's text. */
export function requestIdInDescription(description: string): string | undefined {
  return markerPattern.exec(description)?.[1];
}

/** What is sent to EE for a request: what came, in the bare form, with its requestId and marker. */
export function sentRequest(
  request: VideoRequest,
  requestId: string,
): VideoRequest & { readonly requestId: string } {
  const { expression, description, ...rest } = request;
  return { requestId, description: markedDescription(description, requestId), ...rest, expression };
}

/** The bytes of `video:export`. The same request and id always give the same bytes: EE compares them. */
export function serialiseRequest(request: VideoRequest, requestId: string): Uint8Array {
  return Buffer.from(JSON.stringify(sentRequest(request, requestId)));
}

/** How many bytes `serialiseRequest` would give. */
export function serialisedLength(request: VideoRequest, requestId: string): number {
  return Buffer.byteLength(JSON.stringify(sentRequest(request, requestId)));
}

/**
 * A serialised request under another generation of its id: what is sent after an id was burnt.
 *
 * @param serialised what `serialiseRequest` made
 */
export function withRequestId(
  serialised: Uint8Array,
  requestId: string,
): { readonly bytes: Uint8Array; readonly description: string } {
  const sent = JSON.parse(new TextDecoder().decode(serialised)) as ReturnType<typeof sentRequest>;
  const { requestId: _former, description: marked = '', ...request } = sent;
  const description = marked.replace(markerPattern, '');
  return {
    bytes: serialiseRequest({ ...request, description }, requestId),
    description: markedDescription(description, requestId),
  };
}

/** Where two requests differ: paths of single fields, and `request.expression` as one, by what it computes. */
export function differingPaths(a: VideoRequest, b: VideoRequest): string[] {
  const { expression: _a, ...fieldsOfA } = a;
  const { expression: _b, ...fieldsOfB } = b;
  const paths = differences('request', fieldsOfA, fieldsOfB);
  return graphHashOf(a) === graphHashOf(b) ? paths : ['request.expression', ...paths];
}

function differences(path: string, a: unknown, b: unknown): string[] {
  if (isFields(a) && isFields(b)) {
    const names = [...new Set([...Object.keys(a), ...Object.keys(b)])].sort();
    return names.flatMap((name) => differences(`${path}.${name}`, a[name], b[name]));
  }
  return canonicalize(a) === canonicalize(b) ? [] : [path];
}

function isFields(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function graphHashOf(request: VideoRequest): string {
  const reading = readExpression(request.expression);
  if ('graphHash' in reading) {
    return reading.graphHash;
  }
  throw new TypeError(
    `The request was not validated: ${reading.issues[0]?.path} ${reading.issues[0]?.message}`,
  );
}

function canonicalJson(value: object): string {
  return canonicalize(value) as string;
}

/** What EE takes in a description. Accents are dropped, so that `São Paulo` stays readable. */
function clean(description: string): string {
  return description
    .slice(0, 2 * DESCRIPTION_CHARACTERS)
    .normalize('NFKD')
    .replaceAll(/\p{M}/gu, '')
    .replaceAll(/[^A-Za-z0-9._,:;-]/gu, '-');
}

/** RFC 4648, lower case, for a whole number of five-byte groups: there is no padding. */
function base32(bytes: Uint8Array): string {
  const alphabet = 'abcdefghijklmnopqrstuvwxyz234567';
  let text = '';
  let bits = 0;
  let held = 0;
  for (const byte of bytes) {
    held = (held << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += alphabet[(held >> bits) & 31];
    }
    held &= (1 << bits) - 1;
  }
  return text;
}

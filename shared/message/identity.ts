import { hash } from 'node:crypto';

import canonicalize from 'canonicalize';

import { readExpression } from '../expression/read-expression.ts';
import { isJsonObject } from '../json.ts';
import { markedDescription, unmarkedDescription } from '../model/ids.ts';
import type { VideoRequest } from '../model/job.ts';

/**
 * Who a job is. Everything here is part of the stored data: changing what a function returns makes a new job of every old
 * one, so it would need a new prefix instead of `ve1`.
 */

/** SHA-256 (hex) over the request's meaning: canonical JSON (RFC 8785), in which the graph's hash stands for the graph. */
export function contentHashOf(request: VideoRequest, graphHash: string): string {
  return hash('sha256', canonicalJson({ ...request, expression: graphHash }), 'hex');
}

/** The same for a request whose graph was not hashed yet. It must be a valid one. */
export function contentHash(request: VideoRequest): string {
  return contentHashOf(request, graphHashOf(request));
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
  const description = unmarkedDescription(marked);
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
  if (isJsonObject(a) && isJsonObject(b)) {
    const names = [...new Set([...Object.keys(a), ...Object.keys(b)])].sort();
    return names.flatMap((name) => differences(`${path}.${name}`, a[name], b[name]));
  }
  return canonicalize(a) === canonicalize(b) ? [] : [path];
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

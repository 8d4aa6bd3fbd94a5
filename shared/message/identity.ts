import { hash } from 'node:crypto';

import canonicalize from 'canonicalize';

import { readExpression } from '../expression/read-expression.ts';
import { isJsonObject } from '../json.ts';
import { markedDescription, unmarkedDescription } from '../model/ids.ts';
import type { VideoRequest } from '../model/job.ts';

/**
 * The identity of a job. Everything here is part of the stored data: if a function returned something else, every old job
 * would become a new one, so such a change needs a new prefix instead of `ve1`.
 */

/** SHA-256 (hex) of the request's meaning: its canonical JSON (RFC 8785), with the graph's hash in place of the graph. */
export function contentHashOf(request: VideoRequest, graphHash: string): string {
  return hash('sha256', canonicalJson({ ...request, expression: graphHash }), 'hex');
}

/** The same for a valid request whose graph is not hashed yet. */
export function contentHash(request: VideoRequest): string {
  return contentHashOf(request, graphHashOf(request));
}

/** What is sent to Earth Engine for a request: its bare form, with requestId and marker. */
export function sentRequest(
  request: VideoRequest,
  requestId: string,
): VideoRequest & { readonly requestId: string } {
  const { expression, description, ...rest } = request;
  return { requestId, description: markedDescription(description, requestId), ...rest, expression };
}

/** The body of `video:export`. The same request and id always give the same bytes, since Earth Engine compares them. */
export function serializeRequest(request: VideoRequest, requestId: string): Uint8Array {
  return Buffer.from(JSON.stringify(sentRequest(request, requestId)));
}

/**
 * A serialized request under another generation of its id, to be sent after an id was used up.
 *
 * @param serialized what `serializeRequest` returned
 */
export function withRequestId(
  serialized: Uint8Array,
  requestId: string,
): { readonly bytes: Uint8Array; readonly description: string } {
  const sent = JSON.parse(new TextDecoder().decode(serialized)) as ReturnType<typeof sentRequest>;
  const { requestId: _former, description: marked = '', ...request } = sent;
  const description = unmarkedDescription(marked);
  return {
    bytes: serializeRequest({ ...request, description }, requestId),
    description: markedDescription(description, requestId),
  };
}

/** The paths of the fields in which two requests differ. Expressions are compared as a whole, by what they compute. */
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

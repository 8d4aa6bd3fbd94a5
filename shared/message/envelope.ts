import { hash } from 'node:crypto';

import { z } from 'zod';

import { isDocumentId, isTimestamp } from '../store/limits.ts';
import { hasTooManyContainers, MAX_CONTAINERS } from './containers.ts';
import { mismatch } from '../issues.ts';
import type { Issue } from '../model/rejected-message.ts';

/** A message as it was delivered, in any of the forms below. */
export interface Envelope {
  /** Pub/Sub's id, or a hash of it if a document could not have it as its id. */
  readonly messageId: string;
  readonly publishTime: Date | undefined;
  readonly attributes: Readonly<Record<string, string>>;
  /** `projects/P/subscriptions/S` */
  readonly subscription: string | undefined;
  readonly deliveryAttempt: number | undefined;
  /** The decoded data; empty if there was none, and the text itself if it was not base64. */
  readonly data: Uint8Array;
  /** Why the data could not be decoded. The message is then rejected and acknowledged, not answered with an error. */
  readonly problem: Issue | undefined;
}

/** An HTTP request as functions-framework hands it over. */
export interface DeliveredRequest {
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** Parsed if the framework knew the content type; otherwise text or bytes. */
  readonly body: unknown;
  readonly rawBody?: Uint8Array | undefined;
}

/** Read loosely: unknown and odd fields are dropped, since a message must never be rejected because of its envelope. */
const optionalText = z.string().min(1).optional().catch(undefined);
const messageId = z
  .union([z.string().min(1), z.number().transform(String)])
  .optional()
  .catch(undefined);
const messageSchema = z
  .looseObject({
    data: z.unknown().optional(),
    attributes: z.record(z.string(), z.unknown()).optional().catch(undefined),
    messageId,
    message_id: messageId,
    publishTime: optionalText,
    publish_time: optionalText,
  })
  .transform((message) => ({
    data: message.data,
    attributes: textsOf(message.attributes ?? {}),
    messageId: message.messageId ?? message.message_id,
    publishTime: dateOf(message.publishTime ?? message.publish_time),
  }));

const pushSchema = z.looseObject({
  message: messageSchema,
  subscription: optionalText,
  deliveryAttempt: z.int().optional().catch(undefined),
});

const eventFields = { specversion: z.string(), id: optionalText };

/**
 * The three forms of a delivery: a Pub/Sub push, a CloudEvent with its attributes in `ce-` headers, and a CloudEvent as one
 * JSON object (https://github.com/cloudevents/spec/blob/main/cloudevents/bindings/http-protocol-binding.md). The data of both
 * CloudEvents is the body of a push.
 */
const deliverySchema = z.union([
  z
    .object({ headers: z.object({ 'ce-specversion': z.string(), 'ce-id': optionalText }), body: pushSchema })
    .transform(({ headers, body }) => ({ eventId: headers['ce-id'], push: body })),
  z
    .object({ body: z.looseObject({ ...eventFields, data: pushSchema }) })
    .transform(({ body }) => ({ eventId: body.id, push: body.data })),
  z
    .object({
      body: z.looseObject({ ...eventFields, data_base64: z.preprocess(parseBase64Json, pushSchema) }),
    })
    .transform(({ body }) => ({ eventId: body.id, push: body.data_base64 })),
  z.object({ body: pushSchema }).transform(({ body }) => ({ eventId: undefined, push: body })),
]);

/**
 * Reads the envelope.
 *
 * @returns undefined for a body that is not an envelope: it is answered with 400, and has no id to record it under
 */
export function parseEnvelope(request: DeliveredRequest): Envelope | undefined {
  const body = typeof request.body === 'object' && !isBytes(request.body) ? request.body : parseJson(request);
  const parsed = deliverySchema.safeParse({ headers: request.headers, body });
  if (!parsed.success) {
    return undefined;
  }
  const { eventId, push } = parsed.data;
  const messageId = push.message.messageId ?? eventId;
  if (messageId === undefined) {
    return undefined;
  }
  return {
    messageId: usableAsDocumentId(messageId),
    // A replayed message keeps its original time: a manifest's run is named after it.
    publishTime: dateOf(push.message.attributes['originalPublishTime']) ?? push.message.publishTime,
    attributes: push.message.attributes,
    subscription: push.subscription,
    deliveryAttempt: push.deliveryAttempt,
    ...decodeData(push.message.data),
  };
}

/** The envelope's data as JSON, or why it is not JSON. */
export function readJsonData(
  envelope: Pick<Envelope, 'data' | 'problem'>,
): { readonly json: unknown } | { readonly issues: Issue[] } {
  if (envelope.problem) {
    return { issues: [envelope.problem] };
  }
  if (hasTooManyContainers(envelope.data)) {
    return {
      issues: [
        dataIssue(`has more than ${MAX_CONTAINERS} objects and arrays; allowed: at most ${MAX_CONTAINERS}`),
      ],
    };
  }
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(envelope.data);
  } catch {
    return { issues: [dataIssue('found bytes that are not UTF-8; allowed: JSON in UTF-8')] };
  }
  try {
    return { json: JSON.parse(text) as unknown };
  } catch (error) {
    // V8's message quotes a few characters around the error.
    const detail = error instanceof SyntaxError ? error.message : 'unreadable';
    return { issues: [dataIssue(`found text that is not JSON (${detail}); allowed: JSON in UTF-8`)] };
  }
}

function decodeData(data: unknown): Pick<Envelope, 'data' | 'problem'> {
  if (data === undefined || data === null || data === '') {
    return { data: new Uint8Array(0), problem: dataIssue('is missing; allowed: JSON in UTF-8') };
  }
  if (typeof data !== 'string') {
    return {
      data: new Uint8Array(0),
      problem: dataIssue(mismatch(data, 'base64 text')),
    };
  }
  const decoded = decodeBase64(data);
  if (decoded) {
    return { data: decoded, problem: undefined };
  }
  return {
    data: Buffer.from(data),
    problem: dataIssue('found text that is not base64; allowed: base64 (RFC 4648 section 4)'),
  };
}

/** `Buffer.from` skips what is not base64, so its result is encoded again and compared. Padding may be missing. */
function decodeBase64(text: string): Uint8Array | undefined {
  const decoded = Buffer.from(text, 'base64');
  const encoded = decoded.toString('base64');
  return text === encoded || text === encoded.replace(/=+$/, '') ? decoded : undefined;
}

function parseJson(request: DeliveredRequest): unknown {
  const source = request.rawBody ?? request.body;
  try {
    if (typeof source === 'string') {
      return JSON.parse(source) as unknown;
    }
    if (isBytes(source)) {
      return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(source)) as unknown;
    }
  } catch {
    // Not an envelope.
  }
  return undefined;
}

function parseBase64Json(text: unknown): unknown {
  const bytes = typeof text === 'string' ? decodeBase64(text) : undefined;
  return bytes && parseJson({ headers: {}, body: bytes });
}

function isBytes(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array;
}

function textsOf(attributes: Readonly<Record<string, unknown>>): Record<string, string> {
  const texts = Object.entries(attributes).filter(([, value]) => typeof value === 'string');
  return Object.fromEntries(texts) as Record<string, string>;
}

/** Only a time that can be stored: any sender can set the attribute, and writing any other time would fail forever. */
function dateOf(text: string | undefined): Date | undefined {
  const date = text === undefined ? undefined : new Date(text);
  return date && isTimestamp(date) ? date : undefined;
}

function usableAsDocumentId(messageId: string): string {
  return isDocumentId(messageId) ? messageId : `sha256-${hash('sha256', messageId, 'hex')}`;
}

function dataIssue(message: string): Issue {
  return { path: 'data', message };
}

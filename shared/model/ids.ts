import { hash } from 'node:crypto';

import canonicalize from 'canonicalize';

/**
 * Every id that the service stores or sends, and its only pattern. Stored data depends on all of it: if a function
 * returned something else, every old job would become a new one. Such a change needs a new prefix instead of `ve1`.
 */

const RECORD_ID_BYTES = 20;
const DESCRIPTION_CHARACTERS = 100;
/** The attempt's number is part of a requestId, which Earth Engine limits to 60 characters. */
export const MAX_ATTEMPT = 999;

const recordIdSource = String.raw`ve1-[a-z2-7]{32}(?:-(?:[2-9]|[1-9]\d{1,2}))?`;
const requestIdSource = String.raw`(${recordIdSource})(?:-g([2-9]|[1-9]\d{1,3}))?`;
/** `ve1-` and 32 characters, then `-2` to `-999` for a later attempt. */
export const recordIdPattern = new RegExp(`^${recordIdSource}$`);
/** A record id, then `-g2`, `-g3` … for a later generation. */
export const requestIdPattern = new RegExp(`^${requestIdSource}$`);
/** `projects/P/operations/ID` */
export const operationPattern = /^projects\/[^/]+\/operations\/[^/]+$/;
const markerPattern = new RegExp(`(?:^|_)(${requestIdSource})$`);

/**
 * `ve1-` and 160 bits of SHA-256 over {project, jobKey} or, without a jobKey, {project, contentHash}, in base32; `-n`
 * for an attempt after the first.
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
  const digest = hash('sha256', canonicalize(identity) as string, 'buffer').subarray(0, RECORD_ID_BYTES);
  return `ve1-${base32(digest)}${attempt > 1 ? `-${attempt}` : ''}`;
}

/** The id by which Earth Engine recognizes duplicates: the record id; with `-g2`, `-g3` … for a later generation. */
export function requestIdOf(recordId: string, generation: number): string {
  return generation > 1 ? `${recordId}-g${generation}` : recordId;
}

/** The inverse of `requestIdOf`, for a text that contains nothing else. */
export function parseRequestId(
  text: string,
): { readonly recordId: string; readonly generation: number } | undefined {
  const [, recordId, generation] = requestIdPattern.exec(text) ?? [];
  return recordId === undefined ? undefined : { recordId, generation: Number(generation ?? 1) };
}

/** Earth Engine's `description`: the caller's text, cleaned and cut, and the requestId, which identifies it. */
export function markedDescription(description: string | undefined, requestId: string): string {
  const room = DESCRIPTION_CHARACTERS - requestId.length - 1;
  const text = clean(description ?? '').slice(0, room);
  return text === '' ? requestId : `${text}_${requestId}`;
}

/** The caller's part of a marked description. */
export function unmarkedDescription(marked: string): string {
  return marked.replace(markerPattern, '');
}

/** The requestId at the end of an operation's description; anywhere else it is the caller's text. */
export function requestIdInDescription(description: string): string | undefined {
  return markerPattern.exec(description)?.[1];
}

/** Only the characters that Earth Engine allows. Accents are dropped, so `São Paulo` stays readable. */
function clean(description: string): string {
  return description
    .slice(0, 2 * DESCRIPTION_CHARACTERS)
    .normalize('NFKD')
    .replaceAll(/\p{M}/gu, '')
    .replaceAll(/[^A-Za-z0-9._,:;-]/gu, '-');
}

/** RFC 4648 in lower case, for a whole number of five-byte groups, which need no padding. */
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

/** The record id of the next attempt; undefined if no other attempt is possible. */
export function nextAttemptId(recordId: string, attempt: number): string | undefined {
  if (attempt >= MAX_ATTEMPT || !parseRequestId(recordId)) {
    return undefined;
  }
  const first = attempt > 1 ? recordId.slice(0, -`-${attempt}`.length) : recordId;
  return `${first}-${attempt + 1}`;
}

/** The record ids of the attempts before this one, the first attempt first. */
export function earlierAttemptIds(recordId: string, attempt: number): string[] {
  const first = attempt > 1 ? recordId.slice(0, -`-${attempt}`.length) : recordId;
  return Array.from({ length: attempt - 1 }, (_, index) => (index === 0 ? first : `${first}-${index + 1}`));
}

/** The id of a batch's document, and the `batchId` of its jobs: at most 97 characters. */
export const batchDocumentId = (batchId: string, run: string): string => `${batchId}@${run}`;

import { parseRequestId } from '../message/identity.ts';

/** An attempt is numbered at most so: its number is part of an id of 60 characters. */
const MAX_ATTEMPT = 999;

/** The record id of the attempt after this one; undefined where there can be none. */
export function nextAttemptId(recordId: string, attempt: number): string | undefined {
  if (attempt >= MAX_ATTEMPT || !parseRequestId(recordId)) {
    return undefined;
  }
  const first = attempt > 1 ? recordId.slice(0, -`-${attempt}`.length) : recordId;
  return `${first}-${attempt + 1}`;
}

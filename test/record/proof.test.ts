import { describe, expect, it } from 'vitest';

import { later, MINUTE_MS, SECOND_MS } from '../../shared/clock.ts';
import {
  afterEmptySearch,
  afterRefusal,
  earliestOperationAt,
  isProvenAbsent,
  mayGiveUpId,
  secondSearchAt,
} from '../../shared/record/proof.ts';
import { frozen, policy, start } from './samples.ts';

/** What proves that no operation exists (rules 5 to 7), one bound at a time. */

const at = (ms: number): Date => later(start, ms);
const search = (startedMs: number, endedMs: number) => ({ startedAt: at(startedMs), endedAt: at(endedMs) });
const T = policy.absenceMs;

/** Two empty searches: the first takes a minute, the second starts at this time. */
const searchedAgainAt = (ms: number) =>
  afterEmptySearch(afterEmptySearch(undefined, search(0, MINUTE_MS)), search(ms, ms + MINUTE_MS));

describe('two searches', () => {
  it('prove absence if the second one starts T after the end of the first one', () => {
    const searches = searchedAgainAt(MINUTE_MS + T);
    expect(searches).toEqual({ firstEndedAt: at(MINUTE_MS), lastStartedAt: at(MINUTE_MS + T) });
    expect(isProvenAbsent({ unanswered: 1, searches }, policy)).toBe(true);
  });

  it.each([
    ['T after the start of the first one', T],
    ['a moment earlier than that', MINUTE_MS + T - 1],
    ['at once', MINUTE_MS],
  ])('prove nothing if the second one starts %s', (_when, ms) => {
    expect(isProvenAbsent({ unanswered: 1, searches: searchedAgainAt(ms) }, policy)).toBe(false);
  });

  it('prove absence although others were made in between', () => {
    const between = afterEmptySearch(searchedAgainAt(T / 2), search(MINUTE_MS + T, 2 * T));
    expect(isProvenAbsent({ unanswered: 1, searches: between }, policy)).toBe(true);
  });

  it('start again if one was inconclusive', () => {
    const lost = afterEmptySearch(searchedAgainAt(T), { ...search(2 * T, 2 * T), inconclusive: true });
    expect(lost).toBeUndefined();
  });

  it('are not needed if every send was answered', () => {
    expect(isProvenAbsent({ unanswered: 0, searches: undefined }, policy)).toBe(true);
    expect(isProvenAbsent({ unanswered: 1, searches: undefined }, policy)).toBe(false);
  });

  it('may be as far apart as they must be', () => {
    const first = afterEmptySearch(undefined, search(0, MINUTE_MS));
    expect(first && secondSearchAt(first, policy)).toEqual(at(MINUTE_MS + T));
  });
});

describe('an id is given up', () => {
  const searches = searchedAgainAt(MINUTE_MS + T);
  const refusedAt = (ms: number) => searches && { ...searches, refusedAt: at(ms) };

  it.each([
    ['between the searches', T / 2, true],
    ['when the second one starts', MINUTE_MS + T, true],
    ['after the second one has started', MINUTE_MS + T + 1, false],
  ])('after a refusal %s: %s ms, %s', (_when, ms, given) => {
    expect(mayGiveUpId({ unanswered: 1, searches: refusedAt(ms) }, policy)).toBe(given);
  });

  it('never without a refusal', () => {
    expect(mayGiveUpId({ unanswered: 1, searches }, policy)).toBe(false);
  });

  it('never without proof', () => {
    const tooEarly = searchedAgainAt(T);
    const refused = afterRefusal(tooEarly, at(2 * MINUTE_MS));
    expect(mayGiveUpId({ unanswered: 1, searches: refused }, policy)).toBe(false);
  });

  it('after one search if every send was answered', () => {
    const first = afterEmptySearch(undefined, search(0, MINUTE_MS));
    expect(mayGiveUpId({ unanswered: 0, searches: first }, policy)).toBe(true);
    expect(mayGiveUpId({ unanswered: 0, searches: undefined }, policy)).toBe(false);
  });
});

describe('a refusal', () => {
  const first = afterEmptySearch(undefined, search(0, MINUTE_MS));

  it('counts only after a search', () => {
    expect(afterRefusal(undefined, start)).toBeUndefined();
    expect(afterRefusal(first, at(2 * MINUTE_MS))).toMatchObject({ refusedAt: at(2 * MINUTE_MS) });
  });

  it('is the first one: a later one does not replace it', () => {
    const refused = afterRefusal(first, at(2 * MINUTE_MS));
    expect(afterRefusal(refused, at(3 * MINUTE_MS + SECOND_MS))).toEqual(refused);
  });
});

describe('the earliest time of a record’s operation', () => {
  const record = frozen('WAITING');
  const entries = (count: number) => Array.from({ length: count }, () => ({ state: 'WAITING', at: start }));
  const claimed = { state: 'SUBMITTING', at: at(60 * MINUTE_MS) };

  it('is a minute before its first claim', () => {
    const history = [...entries(1), claimed];
    expect(earliestOperationAt({ ...record, createdAt: start, history })).toEqual(at(59 * MINUTE_MS));
  });

  it('is a minute before it was created if its history may have been cut', () => {
    const history = [...entries(49), claimed];
    expect(earliestOperationAt({ ...record, createdAt: start, history })).toEqual(at(-MINUTE_MS));
  });
});

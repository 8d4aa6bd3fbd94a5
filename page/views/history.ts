import { abbreviate } from '../../shared/text.ts';
import { iso, optional } from './row.ts';
import type { HistoryEntry } from './view.ts';

interface Entry {
  readonly state: string;
  readonly at: Date;
  readonly note?: string | undefined;
}

const ENTRIES = 100;
const STATE = 60;
const NOTE = 4000;

/**
 * The latest entries of a history. A job that waits is sent again and again, and each attempt adds the same entries, one or two: they
 * become one, with a count.
 */
export function historyOf(history: readonly Entry[]): HistoryEntry[] {
  const entries: HistoryEntry[] = [];
  for (let from = 0; from < history.length;) {
    const single = timesOf(history, from, 1);
    const pair = timesOf(history, from, 2);
    const length = single === 1 && pair > 1 ? 2 : 1;
    const times = length === 2 ? pair : single;
    const end = from + length * times;
    entries.push(entryOf(history.slice(from, from + length), history.slice(from, end), times));
    from = end;
  }
  return entries.slice(-ENTRIES);
}

/** How many times the next `length` entries follow each other. */
function timesOf(history: readonly Entry[], from: number, length: number): number {
  let end = from + length;
  while (end < history.length && isSame(history[end], history[end - length])) {
    end += 1;
  }
  return Math.floor((end - from) / length);
}

const isSame = (one: Entry | undefined, other: Entry | undefined): boolean =>
  one?.state === other?.state && one?.note === other?.note;

function entryOf(pattern: readonly Entry[], all: readonly Entry[], times: number): HistoryEntry {
  const [first = { state: '', at: new Date(0) }] = all;
  const last = all.at(-1) ?? first;
  const notes = [...new Set(pattern.flatMap(({ note }) => (note === undefined ? [] : [note])))];
  return {
    states: pattern.map(({ state }) => abbreviate(state, STATE)),
    at: iso(first.at),
    ...(times > 1 ? { times, until: iso(last.at) } : {}),
    ...optional('note', notes.length > 0 ? abbreviate(notes.join('\n'), NOTE) : undefined),
  };
}

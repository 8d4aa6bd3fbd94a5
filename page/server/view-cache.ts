import { type Clock, MINUTE_MS, SECOND_MS } from '../../shared/clock.ts';
import type { View } from '../views/view.ts';
import type { Live } from './live.ts';

/** A view, and the version of the data that it contains. */
export interface MadeView {
  readonly view: View;
  readonly version: number;
  readonly at: Date;
}

/**
 * Views that many people look at cost as much as one: a view is made again only after something changed, and while something
 * changes all the time, every few seconds.
 */
export interface ViewCache {
  get(key: string, make: () => Promise<View>): Promise<MadeView>;
}

const KEPT = 100;
/** Without listeners, nothing says whether something changed. */
const UNHEARD_MS = 2 * SECOND_MS;
/** What depends on the time changes although nothing is written. */
const UNCHANGED_MS = MINUTE_MS;
/** A first change is shown at once; then one in this time, after a few. */
const REFILL_MS = 5 * SECOND_MS;
const AT_ONCE = 5;
const CHANGED_MS = 500;

const lacksParts = (view: View): boolean => view.kind === 'overview' && view.isIncomplete;

interface Entry {
  readonly made: Promise<MadeView>;
  version: number;
  isIncomplete: boolean;
  readonly startedAt: number;
  /** How many more times it may be made at once. */
  readonly left: number;
}

export function createViewCache(live: Live, clock: Clock): ViewCache {
  const entries = new Map<string, Entry>();
  /** The version at which reading an incomplete view began, by key. Its missing parts are still being read, and are as old as that. */
  const begun = new Map<string, number>();

  const isFresh = ({ version, startedAt, left, isIncomplete }: Entry, now: number): boolean => {
    const age = now - startedAt;
    if (isIncomplete) {
      // Making it again waits for what is missing, and reads nothing twice.
      return false;
    }
    if (!live.isListening) {
      return age < UNHEARD_MS;
    }
    return version === live.version ? age < UNCHANGED_MS : age < (left > 0 ? CHANGED_MS : REFILL_MS);
  };

  return {
    async get(key, make) {
      const now = clock.now();
      const known = entries.get(key);
      if (known && isFresh(known, now.getTime())) {
        return known.made;
      }
      const version = begun.get(key) ?? live.version;
      // Whoever has an incomplete view asks again.
      const made = make().then((view): MadeView => ({
        view,
        version: lacksParts(view) ? 0 : version,
        at: now,
      }));
      const refilled = known ? (now.getTime() - known.startedAt) / REFILL_MS : AT_ONCE;
      const left = Math.min(AT_ONCE, (known?.left ?? 0) + refilled) - (known?.isIncomplete ? 0 : 1);
      const entry: Entry = { made, version, startedAt: now.getTime(), left, isIncomplete: false };
      // The latest is the last: the first one is dropped.
      entries.delete(key);
      entries.set(key, entry);
      if (entries.size > KEPT) {
        entries.delete(entries.keys().next().value ?? '');
      }
      const settle = async (): Promise<void> => {
        try {
          if (lacksParts((await made).view)) {
            begun.set(key, version);
            entry.version = 0;
            entry.isIncomplete = true;
          } else {
            begun.delete(key);
            entry.version = version;
          }
        } catch {
          begun.delete(key);
          if (entries.get(key) === entry) {
            entries.delete(key);
          }
        }
      };
      void settle();
      return made;
    },
  };
}

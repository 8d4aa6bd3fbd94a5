import pMap from 'p-map';

import { HOUR_MS } from '../../shared/clock.ts';
import type { RecordState } from '../../shared/model/record.ts';
import { pageQueries } from '../../shared/store/page-queries.ts';
import type { Store } from '../../shared/store/store.ts';
import { iso } from './row.ts';
import type { Hour } from './view.ts';

/** What finished in each of the last hours. The counts of past hours are kept, since they no longer change. */
export interface HourHistory {
  read(store: Store, now: Date): Promise<Hour[]>;
}

const HOURS = 24;
/** A job's end is recorded up to a poll after it happened, and later if the poller was down: the last two hours are counted anew. */
const SETTLED_MS = 2 * HOUR_MS;
/** The first page sums every hour, which must not hold up other queries. */
const SUMS_AT_ONCE = 4;
const unsuccessfulStates: readonly RecordState[] = ['FAILED', 'REJECTED', 'LOST', 'CANCELLED'];

export function createHourHistory(): HourHistory {
  const settled = new Map<number, Hour>();
  return {
    async read(store, now) {
      const current = now.getTime() - (now.getTime() % HOUR_MS);
      const starts = Array.from({ length: HOURS }, (_, n) => current - (HOURS - 1 - n) * HOUR_MS);
      for (const start of settled.keys()) {
        if (start < (starts[0] ?? 0)) {
          settled.delete(start);
        }
      }
      const known = starts.flatMap((start) => settled.get(start) ?? []);
      // The last ones.
      const counted = await countHours(store, starts.slice(known.length));
      for (const hour of counted) {
        const start = Date.parse(hour.from);
        if (start + SETTLED_MS <= current) {
          settled.set(start, hour);
        }
      }
      return [...known, ...counted];
    },
  };
}

async function countHours({ records }: Store, starts: readonly number[]): Promise<Hour[]> {
  const [all, unsuccessful] = await Promise.all([
    countByHour(starts, (from, to) => records.count(pageQueries.finished(from, to))),
    countByHour(starts, (from, to) => records.count(pageQueries.finishedIn(unsuccessfulStates, from, to))),
  ]);
  // Not together with the count: that would leave out records without costs.
  const sum = async (start: number, n: number): Promise<Hour> => {
    const [count = 0, others = 0] = [all[n], unsuccessful[n]];
    const [from, to] = [new Date(start), new Date(start + HOUR_MS)];
    return {
      from: iso(from),
      succeeded: Math.max(0, count - others),
      unsuccessful: others,
      eecuSeconds: count > 0 ? await records.sum(pageQueries.finished(from, to), 'eecuSeconds') : 0,
    };
  };
  return pMap(starts, sum, { concurrency: SUMS_AT_ONCE });
}

/**
 * The counts of successive hours, with as few queries as possible: hours of which none has any need one together, and what the
 * first half of some hours does not have is in the second half.
 */
async function countByHour(
  starts: readonly number[],
  count: (from: Date, to: Date) => Promise<number>,
): Promise<number[]> {
  const countOf = (hours: readonly number[]): Promise<number> =>
    count(new Date(hours.at(0) ?? 0), new Date((hours.at(-1) ?? 0) + HOUR_MS));
  const split = async (hours: readonly number[], total: number): Promise<number[]> => {
    if (hours.length <= 1 || total === 0) {
      return hours.map(() => total);
    }
    const half = Math.ceil(hours.length / 2);
    const first = Math.min(total, await countOf(hours.slice(0, half)));
    const halves = [split(hours.slice(0, half), first), split(hours.slice(half), total - first)];
    return (await Promise.all(halves)).flat();
  };
  return starts.length === 0 ? [] : split(starts, await countOf(starts));
}

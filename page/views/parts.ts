import { type Clock, SECOND_MS } from '../../shared/clock.ts';
import { asError } from '../../shared/errors.ts';

/**
 * The parts of a page that each need queries of their own. A page does not wait for its slowest part: what takes longer than a
 * moment is left out, or shown as it was before, and the page is read again soon.
 *
 * Parts are read in steps. If all queries ran at once, the ones with many queries would delay those with one, and a slow database
 * would have answered none of them by the time the page is sent.
 */

/** What makes each part. */
export type Makers<P> = { readonly [name in keyof P]-?: () => Promise<NonNullable<P[name]>> };

/** The step in which each part is read, from 0. */
export type Steps<P> = { readonly [name in keyof P]-?: number };

export interface ReadParts<P> {
  /** The parts that are known. */
  readonly parts: Partial<P>;
  /** Whether a part is still on its way. */
  readonly isIncomplete: boolean;
}

export interface Parts<P> {
  /**
   * Waits for `patienceMs` at most.
   *
   * @throws the error of a part if no part is known
   */
  read(makers: Makers<P>, patienceMs: number): Promise<ReadParts<P>>;
}

export function createParts<P extends object>(
  clock: Pick<Clock, 'now' | 'sleep'>,
  steps: Steps<P>,
  failed: (part: string, error: unknown) => void,
  stopping: AbortSignal,
): Parts<P> {
  const known: Partial<P> = {};
  /** The number of the round that read each part last. */
  const readBy = new Map<keyof P, number>();
  let round: Round | undefined;
  let rounds = 0;

  /** A query that never ends must not keep the parts of later steps from being read. */
  const inTime = async (step: Promise<unknown>): Promise<void> => {
    const ended = new AbortController();
    const deadline = clock.sleep(STEP_MS, AbortSignal.any([ended.signal, stopping])).catch(() => undefined);
    await Promise.race([step, deadline]);
    ended.abort();
  };

  const start = (makers: Makers<P>): Round => {
    const begun: Round = {
      number: ++rounds,
      pending: new Set(),
      errors: [],
      isGivenUp: false,
      finishedAt: undefined,
      all: Promise.resolve(),
    };
    /** A part that comes late is shown, unless a later round has read it by then. */
    const isLatest = (name: keyof P): boolean => (readBy.get(name) ?? 0) <= begun.number;
    const make = async (name: keyof P & string): Promise<void> => {
      begun.pending.add(name);
      try {
        const value = await makers[name]();
        if (isLatest(name)) {
          known[name] = value;
          readBy.set(name, begun.number);
        }
      } catch (error) {
        begun.errors.push(asError(error));
        if (isLatest(name)) {
          // What it was before may be wrong by now.
          delete known[name];
          readBy.set(name, begun.number);
        }
        failed(name, error);
      } finally {
        begun.pending.delete(name);
      }
    };
    const names = Object.keys(makers) as (keyof P & string)[];
    const all = async (): Promise<void> => {
      for (const step of [...new Set(names.map((name) => steps[name]))].sort((a, b) => a - b)) {
        if (stopping.aborted) {
          return;
        }
        await inTime(Promise.all(names.filter((name) => steps[name] === step).map(make)));
      }
      begun.isGivenUp = begun.pending.size > 0;
      begun.finishedAt = clock.now();
    };
    begun.all = all();
    return begun;
  };

  const isTooOld = ({ finishedAt }: Round): boolean =>
    finishedAt !== undefined && clock.now().getTime() - finishedAt.getTime() > KEPT_MS;

  return {
    async read(makers, patienceMs) {
      // What an earlier, incomplete answer waited for is not read again: a part that always takes long would never be complete.
      const current = round && !isTooOld(round) ? round : start(makers);
      round = current;
      await Promise.race([current.all, clock.sleep(patienceMs)]);
      const isFinished = current.finishedAt !== undefined;
      if (isFinished && round === current) {
        round = undefined;
      }
      const [error] = current.errors;
      if (error !== undefined && Object.keys(known).length === 0) {
        throw error;
      }
      return { parts: { ...known }, isIncomplete: !isFinished || current.isGivenUp };
    },
  };
}

/** One reading of all parts. */
interface Round {
  readonly number: number;
  /** The names of the parts that are being read. */
  readonly pending: Set<string>;
  readonly errors: Error[];
  /** Whether it ended without a part. The next reading then begins a new round. */
  isGivenUp: boolean;
  finishedAt: Date | undefined;
  all: Promise<void>;
}

/** Longer than a page with an incomplete view waits before it asks again. */
const KEPT_MS = 10 * SECOND_MS;
/** How long a step may delay the next one. */
const STEP_MS = 5 * SECOND_MS;

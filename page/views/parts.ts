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
  let round: Round | undefined;

  const start = (makers: Makers<P>): Round => {
    const begun: Round = { errors: [], finishedAt: undefined, all: Promise.resolve() };
    const make = async (name: keyof P & string): Promise<void> => {
      try {
        known[name] = await makers[name]();
      } catch (error) {
        begun.errors.push(asError(error));
        // What it was before may be wrong by now.
        delete known[name];
        failed(name, error);
      }
    };
    const names = Object.keys(makers) as (keyof P & string)[];
    const all = async (): Promise<void> => {
      for (const step of [...new Set(names.map((name) => steps[name]))].sort((a, b) => a - b)) {
        if (stopping.aborted) {
          return;
        }
        await Promise.all(names.filter((name) => steps[name] === step).map(make));
      }
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
      const isIncomplete = current.finishedAt === undefined;
      if (!isIncomplete && round === current) {
        round = undefined;
      }
      const [error] = current.errors;
      if (error !== undefined && Object.keys(known).length === 0) {
        throw error;
      }
      return { parts: { ...known }, isIncomplete };
    },
  };
}

/** One reading of all parts. */
interface Round {
  readonly errors: Error[];
  finishedAt: Date | undefined;
  all: Promise<void>;
}

/** Longer than a page with an incomplete view waits before it asks again. */
const KEPT_MS = 10 * SECOND_MS;

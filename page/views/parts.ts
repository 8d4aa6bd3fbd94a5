/**
 * The parts of a page that each need queries of their own. A page does not wait for its slowest part: what takes longer than a
 * moment is left out, or shown as it was before, and the page is read again soon.
 */

/** What makes each part. */
export type Makers<P> = { readonly [name in keyof P]-?: () => Promise<NonNullable<P[name]>> };

export interface ReadParts<P> {
  /** The parts that are known. */
  readonly parts: Partial<P>;
  /** Whether a part is still on its way. */
  readonly isIncomplete: boolean;
}

export interface Parts<P> {
  /** @throws the error of a part if no part is known */
  read(makers: Makers<P>): Promise<ReadParts<P>>;
}

export function createParts<P extends object>(
  sleep: (ms: number) => Promise<void>,
  patienceMs: number,
  failed: (part: string, error: unknown) => void,
): Parts<P> {
  const known: Partial<P> = {};
  const inProgress = new Map<keyof P, Promise<void>>();

  return {
    async read(makers) {
      const errors: unknown[] = [];
      for (const name of Object.keys(makers) as (keyof P & string)[]) {
        if (inProgress.has(name)) {
          continue;
        }
        const make = async (): Promise<void> => {
          try {
            known[name] = await makers[name]();
          } catch (error) {
            errors.push(error);
            // What it was before may be wrong by now.
            delete known[name];
            failed(name, error);
          } finally {
            inProgress.delete(name);
          }
        };
        inProgress.set(name, make());
      }
      await Promise.race([Promise.all(inProgress.values()), sleep(patienceMs)]);
      if (errors.length > 0 && Object.keys(known).length === 0) {
        throw errors[0];
      }
      return { parts: { ...known }, isIncomplete: inProgress.size > 0 };
    },
  };
}

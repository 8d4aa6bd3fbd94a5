/** A safeguard, and a change that removes it. At least one of its tests must notice the change. */
export interface Mutant {
  /** Unique, short, and stable: `npm run mutants -- --only NAME`. */
  readonly name: string;
  /** What no longer holds. */
  readonly removes: string;
  /** The rule of shared/README.md, if it is one of those. */
  readonly rule?: number;
  readonly file: string;
  /** Occurs exactly once in the file. */
  readonly find: string;
  readonly replace: string;
  /** The test files that should notice it, the most likely one first. */
  readonly tests: readonly string[];
  /** Why no test can notice the change: then it is expected to survive. */
  readonly equivalent?: string;
}

/** Mutants of one file. */
export const mutantsOf = (
  file: string,
  tests: readonly string[],
  mutants: readonly (Omit<Mutant, 'file' | 'tests'> & Partial<Pick<Mutant, 'tests'>>)[],
): Mutant[] => mutants.map((mutant) => ({ file, tests, ...mutant }));

/** The mutant's file with the change. @throws if the text to find is not there exactly once */
export function mutate(source: string, { name, file, find, replace }: Mutant): string {
  const parts = source.split(find);
  if (parts.length !== 2) {
    throw new Error(
      `${name}: the text to find occurs ${parts.length - 1} times in ${file} instead of once; adapt it in test/mutants`,
    );
  }
  return parts.join(replace);
}

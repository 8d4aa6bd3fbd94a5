/** Counts things by name, for the report. */
export interface Tally {
  count(name: string, times?: number): void;
  of(name: string): number;
  /** The names with this prefix, without the prefix, the most frequent first. */
  under(prefix: string): readonly (readonly [name: string, times: number])[];
}

export function createTally(): Tally {
  const counts = new Map<string, number>();
  return {
    count(name, times = 1) {
      counts.set(name, (counts.get(name) ?? 0) + times);
    },
    of: (name) => counts.get(name) ?? 0,
    under: (prefix) =>
      [...counts]
        .filter(([name]) => name.startsWith(prefix))
        .map(([name, times]) => [name.slice(prefix.length), times] as const)
        .sort(([, a], [, b]) => b - a),
  };
}

/** What a run lacks that would prove nothing without it. */
export const missingFaults = (tally: Tally): string[] =>
  ['sent:SIG', 'cut:Firestore', 'delivery:copied', 'fault:']
    .filter((prefix) => tally.under(prefix).length === 0)
    .map((prefix) => `the run had no fault whose name begins with ${prefix}`);

/** Counts things by name, for the report. */
export interface Tally {
  count(name: string, times?: number): void;
  of(name: string): number;
  /** Every name that starts so, without that start, the most frequent first. */
  under(start: string): readonly (readonly [name: string, times: number])[];
}

export function createTally(): Tally {
  const counts = new Map<string, number>();
  return {
    count(name, times = 1) {
      counts.set(name, (counts.get(name) ?? 0) + times);
    },
    of: (name) => counts.get(name) ?? 0,
    under: (start) =>
      [...counts]
        .filter(([name]) => name.startsWith(start))
        .map(([name, times]) => [name.slice(start.length), times] as const)
        .sort(([, a], [, b]) => b - a),
  };
}

/** Counts the calls of each project within the last second. */
export interface RateLimit {
  /** Whether the project has a call left now; if so, it is used. */
  takes(project: string, perSecond: number | null): boolean;
}

const WINDOW_MS = 1000;

export function createRateLimit(nowMs: () => number): RateLimit {
  const taken = new Map<string, number[]>();
  return {
    takes: (project, perSecond) => {
      if (perSecond === null) {
        return true;
      }
      const now = nowMs();
      const recent = (taken.get(project) ?? []).filter((at) => at > now - WINDOW_MS);
      taken.set(project, recent);
      if (recent.length >= perSecond) {
        return false;
      }
      recent.push(now);
      return true;
    },
  };
}

import type { VideoCheck } from '../config.ts';
import { checkVideoInSteps } from '../expression/check/check-video.ts';
import type { Extent } from '../model/delivery.ts';
import type { Finding } from '../model/finding.ts';
import type { VideoRequest } from '../model/job.ts';
import type { Issue } from '../model/rejected-message.ts';
import type { Steps } from '../steps.ts';

export interface GraphRules {
  /** Whether graphs are checked for mistakes that make a video impossible (docs/checks.md). The default is `off`. */
  readonly graphCheck?: VideoCheck;
}

export interface CheckedGraph {
  readonly findings: Finding[];
  /** Unknown without a check. */
  readonly extent?: Extent | undefined;
}

/** Finds mistakes that Earth Engine reports only hours later, when the task fails, and determines how much the request computes. */
export function* checkGraph(request: VideoRequest, { graphCheck = 'off' }: GraphRules): Steps<CheckedGraph> {
  if (graphCheck === 'off') {
    return { findings: [] };
  }
  const { findings, extent } = yield* checkVideoInSteps(request);
  return { findings: findings.map(({ place: _place, ...finding }) => finding), extent };
}

/** The findings for which a message is rejected, as issues. */
export const rejectedBy = (findings: readonly Finding[], { graphCheck }: GraphRules): Issue[] =>
  graphCheck === 'reject'
    ? findings
        .filter(({ severity }) => severity === 'ERROR')
        .map(({ path, message, code, suggestion }) => ({
          path,
          message: `${message} (${code}). ${suggestion}`,
        }))
    : [];

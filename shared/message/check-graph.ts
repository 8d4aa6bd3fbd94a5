import type { VideoCheck } from '../config.ts';
import { checkVideoInSteps } from '../expression/check/check-video.ts';
import type { Extent } from '../model/delivery.ts';
import type { Finding } from '../model/finding.ts';
import type { VideoRequest } from '../model/job.ts';
import type { Issue } from '../model/rejected-message.ts';
import type { Steps } from '../steps.ts';

export interface GraphRules {
  /** Whether graphs are checked for what no video can be made of (docs/checks.md). By default, they are not. */
  readonly graphCheck?: VideoCheck;
}

export interface CheckedGraph {
  readonly findings: Finding[];
  /** Unknown without a check. */
  readonly extent?: Extent | undefined;
}

/** What is wrong with a video that Earth Engine would accept, and fail hours later; and how much it computes. */
export function* checkGraph(request: VideoRequest, { graphCheck = 'off' }: GraphRules): Steps<CheckedGraph> {
  if (graphCheck === 'off') {
    return { findings: [] };
  }
  const { findings, extent } = yield* checkVideoInSteps(request);
  return { findings: findings.map(({ place: _place, ...finding }) => finding), extent };
}

/** The findings that reject a message, as its issues. */
export const rejectedBy = (findings: readonly Finding[], { graphCheck }: GraphRules): Issue[] =>
  graphCheck === 'reject'
    ? findings
        .filter(({ severity }) => severity === 'ERROR')
        .map(({ path, message, code, suggestion }) => ({
          path,
          message: `${message} (${code}). ${suggestion}`,
        }))
    : [];

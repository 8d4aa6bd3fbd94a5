import { checkGraph, rejectedBy } from '../message/check-graph.ts';
import type { JobFields, JobRules } from '../message/job-message.ts';
import type { Finding } from '../model/finding.ts';
import type { Issue } from '../model/rejected-message.ts';
import { runAtOnce } from '../steps.ts';
import { fileNameInUse } from '../submission/file-name.ts';
import type { Expansion } from './expansion.ts';

/**
 * Checks the graphs of a manifest's jobs: each shape of graph once, with what its jobs have in common, so a mistake is found
 * once and not 20,000 times. The first job of each shape is also checked as it is. submitExport checks every job.
 */
export interface ShapeCheck {
  /** What rejects a job. Its graph must be valid. */
  issuesOf(job: number, fields: JobFields): readonly Issue[];
  /** Everything that was found, once for each shape. */
  readonly findings: readonly Finding[];
}

const MAX_FINDINGS = 50;

export function createShapeCheck(expansion: Expansion, rules: JobRules): ShapeCheck {
  const shapes = new Map<string, readonly Issue[]>();
  const destinations = new Map<string, number>();
  const findings: Finding[] = [];
  const { graphCheck = 'off' } = rules;

  const keep = (found: readonly Finding[]): Finding[] => {
    const fresh = found.filter(
      ({ code, path }) => !findings.some((known) => known.code === code && known.path === path),
    );
    findings.push(...fresh.slice(0, MAX_FINDINGS - findings.length));
    return fresh;
  };
  const check = (fields: JobFields, expression: unknown): Finding[] =>
    runAtOnce(
      checkGraph({ ...fields.request, expression: expression as JobFields['request']['expression'] }, rules),
    ).findings;

  return {
    findings,
    issuesOf(job, fields) {
      const graph = expansion.graph(job);
      if (graphCheck === 'off' || !graph) {
        return [];
      }
      if (findings.length < MAX_FINDINGS) {
        keep(sharedFileName(destinations, job, fields));
      }
      const key = JSON.stringify([graph.key, fields.request.videoOptions]);
      const known = shapes.get(key);
      if (known) {
        return known;
      }
      const common = check(fields, graph.shape());
      const issues = rejectedBy(common, rules);
      shapes.set(key, issues);
      keep(common);
      const own = check(fields, graph.expression()).filter(
        ({ code, path }) => !common.some((each) => each.code === code && each.path === path),
      );
      keep(own);
      return [...issues, ...rejectedBy(own, rules)];
    },
  };
}

/** A finding if an earlier job of the manifest writes to the same file. */
function sharedFileName(
  destinations: Map<string, number>,
  job: number,
  { destination }: JobFields,
): Finding[] {
  const first = destinations.get(destination);
  if (first === undefined && !destination.endsWith('/')) {
    destinations.set(destination, job);
  }
  return first === undefined ? [] : [fileNameInUse(destination, `combination ${first} of the manifest`)];
}

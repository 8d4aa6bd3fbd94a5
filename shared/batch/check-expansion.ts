import { setImmediate as letOthersRun } from 'node:timers/promises';

import { readExpression } from '../expression/read-expression.ts';
import { recordIdOf } from '../model/ids.ts';
import { describe, formatPath } from '../issues.ts';
import type { Finding } from '../model/finding.ts';
import { createShapeCheck, type ShapeCheck } from './check-shapes.ts';
import { type JobRules, parseJobFields, parseJobMessage, withoutCheck } from '../message/job-message.ts';
import { abbreviate } from '../text.ts';
import type { Issue } from '../model/rejected-message.ts';
import { createExpansion, type Expansion } from './expansion.ts';
import { readManifest } from './manifest.ts';
import { problemOf } from './names.ts';

/** Checks every job of an expansion against the rules of a job message, before the first of them is published. */

/** Pub/Sub accepts 10 MB, attributes included. */
const MAX_MESSAGE_BYTES = 9_990_000;
const MAX_ISSUES = 50;
/** After this many invalid jobs, the rest of the manifest is not checked. */
const MAX_INVALID_JOBS = 2000;
/** How many jobs are checked before the rest of the process gets a turn: about ten milliseconds. */
const JOBS_AT_ONCE = 200;

/**
 * Everything that is wrong with the jobs, each issue with its combinations; empty if all are valid.
 *
 * @param isOver called before each job. If the time is up, the manifest is rejected, since not every job could be checked.
 */
export async function checkExpansion(
  expansion: Expansion,
  rules: JobRules,
  isOver: () => boolean = () => false,
  shapes = createShapeCheck(expansion, rules),
): Promise<Issue[]> {
  const found = createFindings(expansion);
  checkNames(expansion, found);
  const check = createJobCheck(expansion, rules, found, shapes);
  for (let job = 0; job < expansion.jobs; job += 1) {
    if (isOver()) {
      const message = `only ${job} of ${expansion.jobs} jobs could be checked in time; allowed: fewer jobs, or jobs with a jobKey whose graphs differ only in constants`;
      found.addForAll({ path: 'job', message });
      break;
    }
    if (expansion.canFill(job)) {
      check(job);
    }
    if (found.invalidJobs > MAX_INVALID_JOBS) {
      found.add(job, {
        path: '',
        message: `more than ${MAX_INVALID_JOBS} jobs are invalid; the rest was not checked`,
      });
      break;
    }
    if (job % JOBS_AT_ONCE === JOBS_AT_ONCE - 1) {
      await letOthersRun();
    }
  }
  return found.list();
}

export interface CheckedManifest {
  readonly expansion: Expansion;
  /** What the check of the graphs found, once for each shape of graph. */
  readonly findings: readonly Finding[];
}

/** Expands a decoded manifest and checks every job of it, without looking anything up. */
export async function checkManifest(
  json: unknown,
  publishTime: Date,
  rules: JobRules,
): Promise<CheckedManifest | { readonly issues: readonly Issue[] }> {
  const reading = readManifest(json, publishTime);
  const expansion = 'issues' in reading ? reading : createExpansion(reading.manifest);
  if ('issues' in expansion) {
    return expansion;
  }
  const shapes = createShapeCheck(expansion, rules);
  const issues = await checkExpansion(expansion, rules, undefined, shapes);
  return issues.length > 0 ? { issues } : { expansion, findings: shapes.findings };
}

/** Finds names without a value, or whose value cannot be inserted there. Checks each value of an axis, not each job. */
function checkNames({ names, holes, manifest }: Expansion, found: Findings): void {
  for (const hole of holes) {
    const source = names.source(hole.name);
    const path = formatPath(hole.path);
    const name = `\${${hole.name}}`;
    if ('problem' in source) {
      found.addForAll({ path, message: `found ${describe(name)}, which ${source.problem}` });
      continue;
    }
    const values = source.axis === undefined ? 1 : (manifest.axes[source.axis]?.values.length ?? 0);
    for (let index = 0; index < values; index += 1) {
      const problem = problemOf(hole, source.cell(index));
      if (problem === undefined) {
        continue;
      }
      const issue = { path, message: `found ${describe(name)}, which ${problem}` };
      if (source.axis === undefined) {
        found.addForAll(issue);
      } else {
        found.addForValue(source.axis, index, issue);
      }
    }
  }
}

function createJobCheck(
  expansion: Expansion,
  rules: JobRules,
  found: Findings,
  shapes: ShapeCheck,
): (job: number) => void {
  const graphs = new Map<string, readonly Issue[]>();
  const seen = new Map<string, number>();

  const graphIssues = (job: number): readonly Issue[] => {
    const graph = expansion.graph(job);
    if (!graph) {
      return [];
    }
    const known = graphs.get(graph.key);
    if (known) {
      return known;
    }
    const reading = readExpression(graph.expression());
    const issues = 'issues' in reading ? reading.issues : [];
    graphs.set(graph.key, issues);
    return issues;
  };
  /** The record id of a job, if its fields and its graph are valid. */
  const identify = (job: number): { recordId: string } | { issues: readonly Issue[] } => {
    const reading = parseJobFields(expansion.fieldsJson(job), rules);
    const issues = [...('issues' in reading ? reading.issues : []), ...graphIssues(job)];
    if ('issues' in reading || issues.length > 0) {
      return { issues };
    }
    const mistakes = shapes.issuesOf(job, reading.fields);
    if (mistakes.length > 0) {
      return { issues: mistakes };
    }
    const { project, jobKey, attempt } = reading.fields;
    // Without a jobKey, or with a hole for the whole request, the whole message is read.
    if (jobKey !== undefined && expansion.graph(job)) {
      return { recordId: recordIdOf({ project, jobKey, attempt }) };
    }
    const whole = parseJobMessage(expansion.json(job), expansion.graph(job) ? withoutCheck(rules) : rules);
    return 'issues' in whole ? { issues: whole.issues } : { recordId: whole.job.recordId };
  };

  return (job) => {
    const identity = identify(job);
    if ('issues' in identity) {
      for (const issue of identity.issues) {
        found.add(job, inJob(issue));
      }
      found.invalidJobs += 1;
      return;
    }
    const first = seen.get(identity.recordId);
    if (first === undefined) {
      seen.set(identity.recordId, job);
    } else {
      const message = `makes the same job as combination ${describeCombination(expansion, first)}; allowed: a different jobKey for each combination`;
      found.add(job, { path: 'job.jobKey', message });
      found.invalidJobs += 1;
    }
    const bytes = expansion.messageBytes(job);
    if (bytes > MAX_MESSAGE_BYTES) {
      found.add(job, { path: 'job', message: `found ${bytes} bytes; allowed: at most ${MAX_MESSAGE_BYTES}` });
      found.invalidJobs += 1;
    }
  };
}

const inJob = ({ path, message }: Issue): Issue => ({
  path: path === '' || path === 'data' ? 'job' : `job.${path}`,
  message,
});

interface Findings {
  /** An issue of one combination. If others have the same issue, they are only counted. */
  add(job: number, issue: Issue): void;
  addForValue(axis: number, valueIndex: number, issue: Issue): void;
  addForAll(issue: Issue): void;
  invalidJobs: number;
  list(): Issue[];
}

function createFindings(expansion: Expansion): Findings {
  const found = new Map<string, { issue: Issue; where: string; more: number }>();
  let unlisted = 0;
  const add = (issue: Issue, where: () => string) => {
    const key = `${issue.path}\n${issue.message}`;
    const known = found.get(key);
    if (known) {
      known.more += 1;
    } else if (found.size < MAX_ISSUES) {
      found.set(key, { issue, where: where(), more: 0 });
    } else {
      unlisted += 1;
    }
  };
  return {
    invalidJobs: 0,
    add: (job, issue) => add(issue, () => `in combination ${describeCombination(expansion, job)}`),
    addForValue: (axis, index, issue) =>
      add(issue, () => `in every combination with ${describeValue(expansion, axis, index)}`),
    addForAll: (issue) => add(issue, () => 'in every combination'),
    list: () => {
      const issues = [...found.values()].map(({ issue, where, more }) => {
        const others = more > 0 ? ` and ${more} more` : '';
        return { path: issue.path, message: `${issue.message} (${where}${others})` };
      });
      return unlisted > 0 ? [...issues, { path: '', message: `and ${unlisted} more` }] : issues;
    },
  };
}

const SHOWN_CHARACTERS = 60;

function describeCombination(expansion: Expansion, job: number): string {
  const parts = expansion
    .combination(job)
    .map((valueIndex, axis) => describeValue(expansion, axis, valueIndex));
  return `${job}${parts.length > 0 ? `: ${parts.join(', ')}` : ''}`;
}

function describeValue({ manifest }: Expansion, axis: number, valueIndex: number): string {
  const { name, values } = manifest.axes[axis] ?? { name: '', values: [] };
  const json = JSON.stringify(values[valueIndex]) ?? '';
  return `${name} ${abbreviate(json, SHOWN_CHARACTERS)}`;
}

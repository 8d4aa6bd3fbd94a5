import { recordIdOf } from '../model/ids.ts';
import { type JobRules, parseJobMessage } from '../message/job-message.ts';
import type { Expansion } from './expansion.ts';

/** The record id of a job that was checked. Undefined only where it would no longer pass, since the rules have changed. */
export function recordIdOfJob(expansion: Expansion, job: number, rules: JobRules): string | undefined {
  const fields = expansion.fieldsJson(job) as { jobKey?: string; project?: string; attempt?: number };
  const { jobKey, project = rules.defaultProject, attempt = 1 } = fields;
  if (jobKey !== undefined) {
    return recordIdOf({ project, jobKey, attempt });
  }
  const reading = parseJobMessage(expansion.json(job), rules);
  return 'job' in reading ? reading.job.recordId : undefined;
}

/** Its content hash: a millisecond or more, since the whole graph is read. */
export function contentHashOfJob(expansion: Expansion, job: number, rules: JobRules): string | undefined {
  const reading = parseJobMessage(expansion.json(job), rules);
  return 'job' in reading ? reading.job.contentHash : undefined;
}

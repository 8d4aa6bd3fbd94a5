import { recordIdOf } from '../model/ids.ts';
import { identifyJob, type JobRules } from '../message/job-message.ts';
import type { Expansion } from './expansion.ts';

/** The record id of a job that was checked; undefined only if the rules have changed and it would no longer pass. */
export function recordIdOfJob(expansion: Expansion, job: number, rules: JobRules): string | undefined {
  const fields = expansion.fieldsJson(job) as { jobKey?: string; project?: string; attempt?: number };
  const { jobKey, project = rules.defaultProject, attempt = 1 } = fields;
  if (jobKey !== undefined) {
    return recordIdOf({ project, jobKey, attempt });
  }
  const reading = identifyJob(expansion.json(job), rules);
  return 'job' in reading ? reading.job.recordId : undefined;
}

/** The content hash of a job. Takes a millisecond or more, since it reads the whole graph. */
export function contentHashOfJob(expansion: Expansion, job: number, rules: JobRules): string | undefined {
  const reading = identifyJob(expansion.json(job), rules);
  return 'job' in reading ? reading.job.contentHash : undefined;
}

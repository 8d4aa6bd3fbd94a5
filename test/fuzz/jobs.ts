import { batchDocumentId, recordIdOf } from '../../shared/model/ids.ts';
import { smallJob } from '../harness.ts';

/** The jobs of a schedule. Their names decide how Earth Engine treats them. */

/**
 * - good: it succeeds.
 * - failing: Earth Engine starts it, and it fails.
 * - refused: Earth Engine refuses the request.
 * - moody: Earth Engine refuses the request now and then.
 * - stubborn: it succeeds although it is canceled.
 */
export type JobKind = 'good' | 'failing' | 'refused' | 'moody' | 'stubborn';

export interface FuzzJob {
  readonly jobKey: string;
  readonly project: string;
  readonly kind: JobKind;
}

export interface FuzzBatch {
  /** The id of its document. */
  readonly id: string;
  readonly name: string;
  readonly project: string;
  readonly jobs: readonly FuzzJob[];
}

const RUN = '2026-11-23';

export function createBatch(name: string, project: string, jobs: readonly FuzzJob[]): FuzzBatch {
  return { id: batchDocumentId(name, RUN), name, project, jobs };
}

export const idOf = ({ project, jobKey }: FuzzJob, attempt = 1): string =>
  recordIdOf({ project, jobKey, attempt });

const descriptionOf = ({ kind, jobKey }: FuzzJob): string => `${kind}-${jobKey.replaceAll('/', '-')}`;

export const kindOfDescription = (description: string): JobKind => description.split('-', 1)[0] as JobKind;

export const messageOf = (job: FuzzJob, attempt: number): object =>
  smallJob({ jobKey: job.jobKey, project: job.project, attempt }, { description: descriptionOf(job) });

export const manifestOf = ({ name, project, jobs }: FuzzBatch): object => ({
  batchId: name,
  run: RUN,
  matrix: { job: jobs.map((job) => ({ key: job.jobKey, text: descriptionOf(job) })) },
  job: smallJob({ jobKey: '${job.key}', project }, { description: '${job.text}' }),
});

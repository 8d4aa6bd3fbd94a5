import { setImmediate as letOthersRun } from 'node:timers/promises';

import { type JobRules, jobRules, parseJobMessage } from '../message/job-message.ts';
import type { Finding } from '../model/finding.ts';
import type { Job } from '../model/job.ts';
import type { Issue } from '../model/rejected-message.ts';
import { nextAttemptId } from '../model/ids.ts';
import { type ExportRecord, isTerminal } from '../model/record.ts';
import type { Services } from '../services.ts';
import { isReadable } from '../store/store.ts';
import { readBatch } from './change-batch.ts';
import { checkManifest } from './check-expansion.ts';
import type { Expansion } from './expansion.ts';
import { contentHashOfJob, recordIdOfJob } from './job-rules.ts';

/** Computes what publishing a manifest would start, without publishing it. */

const CHUNK_JOBS = 300;

const outcomes = ['new', 'done', 'running', 'failed', 'conflict'] as const;
/** `new`: the job would be started. `conflict`: a job with other content has its key, so it would be rejected. */
export type PlannedOutcome = (typeof outcomes)[number];

export interface PlannedJob {
  readonly jobKey: string | undefined;
  readonly recordId: string;
  /** The state of its latest attempt. */
  readonly state: ExportRecord['state'] | undefined;
}

export interface Plan {
  /** `{batchId}@{run}` */
  readonly batchId: string;
  readonly jobs: number;
  readonly counts: Readonly<Record<PlannedOutcome, number>>;
  /** The first job with each outcome. */
  readonly first: Readonly<Partial<Record<PlannedOutcome, PlannedJob>>>;
  /**
   * `SAME`: this run was made from the same manifest, and would not be expanded again. `OTHER`: it was made from another
   * manifest, so this one would be rejected.
   */
  readonly batch: 'NEW' | 'SAME' | 'OTHER';
}

/** A new job, as far as its cost and its budgets depend on it. */
export type SampledJob = Pick<Job, 'project' | 'batchId' | 'labels' | 'shapeHash' | 'extent'>;

/** Enough to know how the sizes of jobs vary. Each takes as long as its graph. */
const MAX_SAMPLE = 100;
const MAX_SAMPLED_BYTES = 10_000_000;

/** Some of the new jobs, evenly spread over the manifest. */
async function sampleOf(
  expansion: Expansion,
  rules: JobRules,
  newJobs: readonly number[],
): Promise<SampledJob[]> {
  const [first] = newJobs;
  if (first === undefined) {
    return [];
  }
  const affordable = Math.max(1, Math.floor(MAX_SAMPLED_BYTES / expansion.messageBytes(first)));
  const size = Math.min(newJobs.length, MAX_SAMPLE, affordable);
  const sample: SampledJob[] = [];
  for (let index = 0; index < size; index += 1) {
    const job = newJobs[Math.floor((index * newJobs.length) / size)] ?? first;
    const reading = parseJobMessage(expansion.json(job), rules);
    if ('job' in reading) {
      sample.push(reading.job);
    }
    await letOthersRun();
  }
  return sample;
}

/**
 * Expands a manifest and looks up its jobs. Only reads.
 *
 * @param publishTime the run's name is made from it if the manifest has none
 */
export async function plan(
  services: Pick<Services, 'store' | 'config' | 'clock'>,
  json: unknown,
  publishTime: Date,
): Promise<
  | {
      readonly plan: Plan;
      readonly findings: readonly Finding[];
      /** Some of the jobs that would be started. */
      readonly sample: readonly SampledJob[];
    }
  | { readonly issues: readonly Issue[] }
> {
  const rules = jobRules(services.config);
  const checked = await checkManifest(json, publishTime, rules);
  if ('issues' in checked) {
    return checked;
  }
  const { expansion, findings } = checked;

  const { id, hash } = expansion.manifest;
  const known = await readBatch(services, id);
  const counts: Record<PlannedOutcome, number> = { new: 0, done: 0, running: 0, failed: 0, conflict: 0 };
  const first: Partial<Record<PlannedOutcome, PlannedJob>> = {};
  const newJobs: number[] = [];
  for (let from = 0; from < expansion.jobs; from += CHUNK_JOBS) {
    const count = Math.min(CHUNK_JOBS, expansion.jobs - from);
    for (const { job, outcome, planned } of await planChunk(services, expansion, rules, from, count)) {
      counts[outcome] += 1;
      if (outcome === 'new') {
        newJobs.push(job);
      }
      first[outcome] ??= planned;
    }
    await letOthersRun();
  }
  const batch = !known ? 'NEW' : known.value.manifestHash === hash ? 'SAME' : 'OTHER';
  const sample = await sampleOf(expansion, rules, newJobs);
  return { findings, sample, plan: { batchId: id, jobs: expansion.jobs, counts, first, batch } };
}

async function planChunk(
  { store }: Pick<Services, 'store'>,
  expansion: Expansion,
  rules: JobRules,
  from: number,
  count: number,
): Promise<{ job: number; outcome: PlannedOutcome; planned: PlannedJob }[]> {
  const jobs = Array.from({ length: count }, (_, offset) => from + offset).flatMap((job) => {
    const recordId = recordIdOfJob(expansion, job, rules);
    return recordId === undefined ? [] : [{ job, recordId }];
  });
  const latest = new Map<string, ExportRecord>();
  const own = new Map<string, ExportRecord>();
  // Attempt by attempt: most jobs have one, so each round reads fewer records.
  let lookups = jobs.map(({ recordId }) => ({ recordId, attemptId: recordId }));
  while (lookups.length > 0) {
    const found = await store.records.getMany(lookups.map(({ attemptId }) => attemptId));
    const byId = new Map(found.filter(isReadable).map((each) => [each.id, each.value]));
    lookups = lookups.flatMap(({ recordId, attemptId }) => {
      const record = byId.get(attemptId);
      if (!record) {
        return [];
      }
      latest.set(recordId, record);
      if (attemptId === recordId) {
        own.set(recordId, record);
      }
      const next = nextAttemptId(attemptId, record.attempt);
      return next === undefined ? [] : [{ recordId, attemptId: next }];
    });
  }
  return jobs.map(({ job, recordId }) => {
    const record = latest.get(recordId);
    const { jobKey } = expansion.fieldsJson(job) as { jobKey?: string };
    const contentHash = own.get(recordId)?.contentHash;
    const isConflict = contentHash !== undefined && contentHash !== contentHashOfJob(expansion, job, rules);
    const outcome = isConflict ? 'conflict' : outcomeOf(record);
    return { job, outcome, planned: { jobKey, recordId, state: record?.state } };
  });
}

function outcomeOf(record: ExportRecord | undefined): PlannedOutcome {
  if (!record) {
    return 'new';
  }
  if (!isTerminal(record)) {
    return 'running';
  }
  return record.state === 'SUCCEEDED' ? 'done' : 'failed';
}

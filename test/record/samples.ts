import type { Operation } from '../../shared/earth-engine/api.ts';
import type { Job } from '../../shared/model/job.ts';
import { lose, recordOperation } from '../../shared/record/observe.ts';
import type { Moment, Policy } from '../../shared/record/policy.ts';
import {
  type ActiveRecord,
  type ExportRecord,
  isActive,
  type RecordError,
  type RecordState,
} from '../../shared/model/record.ts';
import { cancelUnsent } from '../../shared/record/cancellation.ts';
import { claim, type JobSource } from '../../shared/record/new-records.ts';
import { type SendFindings, reject, wait } from '../../shared/record/transitions.ts';
import { policyOf } from '../../shared/record/policy.ts';
import { readConfig } from '../../shared/config.ts';

/** A record in each state, as the product itself makes it. */

export const policy: Policy = policyOf(readConfig({ GOOGLE_CLOUD_PROJECT: 'demo-test' }));
export const start = new Date('2026-11-23T12:00:00Z');
export const moment: Moment = { now: new Date('2026-11-23T12:05:00Z'), random: 0.5 };
export const recordId = 've1-abcdefghijklmnopqrstuvwxyz234567';
export const operationName = 'projects/demo-test/operations/OWN';
export const error: RecordError = { code: 503, status: 'UNAVAILABLE', message: 'later', retryable: true };
export const nothingLearned: SendFindings = {
  sends: 0,
  unanswered: 0,
  searches: undefined,
  firstSentAt: undefined,
};

export const job: Job = {
  recordId,
  jobKey: 'las-vegas/2020',
  attempt: 1,
  project: 'demo-test',
  batchId: 'weekly',
  labels: { team: 'water' },
  contentHash: 'hash',
  destination: 'gs://bucket/prefix',
  request: {
    expression: { result: '0', values: {} },
    fileExportOptions: { fileFormat: 'MP4', cloudStorageDestination: { bucket: 'bucket' } },
  },
};

export const source: JobSource = {
  requestId: recordId,
  description: recordId,
  messageId: '1',
  serviceAccount: 'a@demo',
};

export function operationIn(state: string, change: Partial<Operation> = {}): Operation {
  const ended = state === 'SUCCEEDED' || state === 'FAILED' || state === 'CANCELLED';
  return {
    name: operationName,
    done: ended,
    state: state as Operation['state'],
    type: 'EXPORT_VIDEO',
    description: recordId,
    progress: state === 'SUCCEEDED' ? 1 : undefined,
    stage: undefined,
    units: undefined,
    runAttempt: undefined,
    destinationUris: state === 'SUCCEEDED' ? ['https://storage.example/video.mp4'] : [],
    eecuSeconds: ended ? 12.5 : undefined,
    startTime: state === 'PENDING' ? undefined : start,
    endTime: ended ? moment.now : undefined,
    error: state === 'FAILED' ? { code: 3, message: 'User memory limit exceeded.' } : undefined,
    hasResponse: state === 'SUCCEEDED',
    ...change,
  };
}

const claimed = claim(job, source, 'token', policy, start);
const observed = (state: string): ExportRecord =>
  recordOperation(
    claimed,
    operationIn(state),
    { requestId: recordId, submissions: 1, submittedAt: start },
    policy,
    { now: start, random: 0.5 },
  );

function active(record: ExportRecord): ActiveRecord {
  if (!isActive(record)) {
    throw new Error(`${record.state} is not active`);
  }
  return record;
}

const made: Readonly<Record<RecordState, ExportRecord>> = {
  SUBMITTING: claimed,
  WAITING: wait(claimed, nothingLearned, { waitingFor: 'SERVICE', error }, policy, {
    now: start,
    random: 0.5,
  }),
  PENDING: observed('PENDING'),
  RUNNING: observed('RUNNING'),
  CANCELLING: observed('CANCELLING'),
  SUCCEEDED: observed('SUCCEEDED'),
  FAILED: observed('FAILED'),
  CANCELLED: cancelUnsent(claimed, policy, start),
  REJECTED: reject(claimed, nothingLearned, error, policy, start),
  LOST: lose(active(observed('RUNNING')), policy, start),
};

/** A record in that state, frozen: a transition that changed what it was given would throw. */
export function recordIn<S extends RecordState>(state: S): Extract<ExportRecord, { state: S }> {
  return deepFreeze(structuredClone(made[state])) as Extract<ExportRecord, { state: S }>;
}

function deepFreeze<V>(value: V): V {
  if (typeof value === 'object' && value !== null && !(value instanceof Date)) {
    Object.values(value).forEach(deepFreeze);
    Object.freeze(value);
  }
  return value;
}

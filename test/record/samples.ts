import type { Operation } from '../../shared/earth-engine/api.ts';
import type { Job } from '../../shared/model/job.ts';
import type { Delivery } from '../../shared/model/delivery.ts';
import type { RecordError, RecordIn, RecordState } from '../../shared/model/record.ts';
import { requestCancellation } from '../../shared/record/cancellation.ts';
import { recordCopy } from '../../shared/record/delivery.ts';
import { claim, type JobSource } from '../../shared/record/new-records.ts';
import { lose, recordOperation } from '../../shared/record/observe.ts';
import { type Moment, type Policy, policyOf } from '../../shared/record/policy.ts';
import { reject, type SendFindings, wait } from '../../shared/record/transitions.ts';
import { readConfig } from '../../shared/config.ts';

/** A record in each state, made by the product itself, with most of the fields that it may have. */

export const policy: Policy = policyOf(readConfig({ GOOGLE_CLOUD_PROJECT: 'demo-ee' }));
export const start = new Date('2026-11-23T12:00:00.123Z');
export const moment: Moment = { now: new Date('2026-11-23T12:05:00Z'), random: 0.5 };
export const recordId = `ve1-${'a'.repeat(32)}`;
export const operationName = 'projects/demo-ee/operations/OP1';
export const error: RecordError = {
  code: 404,
  status: 'NOT_FOUND',
  message: 'Collection not found',
  retryable: false,
};
export const noFindings: SendFindings = {
  sends: 0,
  unanswered: 0,
  sentUntil: moment.now,
  searches: undefined,
};

export const job: Job = {
  recordId,
  jobKey: 'las-vegas/2020',
  attempt: 1,
  project: 'demo-ee',
  batchId: 'weekly@2026-11-23',
  labels: { team: 'water' },
  contentHash: 'c0ffee',
  destination: 'gs://bucket/prefix',
  deliverTo: 'gs://bucket/stable.mp4',
  requestedVideo: { framesPerSecond: 5, longerSide: 768 },
  shapeHash: '0123456789abcd',
  extent: { frames: 21, pixels: 768 * 432, days: 365, squareKilometers: 5000 },
  request: {
    expression: { result: '0', values: {} },
    fileExportOptions: { fileFormat: 'MP4', cloudStorageDestination: { bucket: 'bucket' } },
  },
};

export const source: JobSource = {
  requestId: recordId,
  description: `las-vegas_${recordId}`,
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
    description: source.description,
    progress: state === 'SUCCEEDED' ? 1 : undefined,
    stage: undefined,
    units: undefined,
    runAttempt: undefined,
    destinationUris: state === 'SUCCEEDED' ? ['gs://bucket/prefix.mp4'] : [],
    eecuSeconds: ended ? 12.5 : undefined,
    createTime: start,
    startTime: state === 'PENDING' ? undefined : start,
    endTime: ended ? moment.now : undefined,
    error: state === 'FAILED' ? { code: 5, message: error.message } : undefined,
    hasResponse: state === 'SUCCEEDED',
    ...change,
  };
}

const claimed = claim(job, source, 'token', policy, start);
const atStart: Moment = { now: start, random: 0.5 };

function observed<S extends RecordState>(state: S, change: Partial<Operation> = {}): RecordIn<S> {
  const running = { progress: 0.25, stage: 'Render frames', units: 3, runAttempt: 1, eecuSeconds: 12.5 };
  const operation = operationIn(state, { ...running, ...change });
  const sent = { requestId: recordId, submissions: 1 };
  return recordOperation(claimed, operation, sent, policy, atStart) as RecordIn<S>;
}

const running = observed('RUNNING');

const delivery: Delivery = {
  state: 'VERIFIED',
  object: 'gs://bucket/prefix.mp4',
  generation: '1795868602015001',
  bytes: 6672,
  crc32c: 'SABcUg==',
  frames: 12,
  framesPerSecond: 5,
  width: 768,
  height: 432,
  durationSeconds: 2.4,
  codec: 'avc1.64001e',
  problems: [],
};

export const samples: { readonly [S in RecordState]: RecordIn<S> } = {
  SUBMITTING: { ...claimed, searches: { firstEndedAt: start, lastStartedAt: start, refusedAt: start } },
  WAITING: wait(claimed, noFindings, { waitingFor: 'QUEUE', error }, policy, atStart),
  PENDING: observed('PENDING', { progress: 0 }),
  RUNNING: { ...running, stalledSince: start },
  CANCELLING: requestCancellation(observed('CANCELLING'), start) as RecordIn<'CANCELLING'>,
  SUCCEEDED: recordCopy(observed('SUCCEEDED'), delivery, 'gs://bucket/stable.mp4', start),
  FAILED: observed('FAILED'),
  CANCELLED: observed('CANCELLED'),
  REJECTED: reject(claimed, noFindings, error, policy, start),
  LOST: lose(running, policy, start),
};

/** The sample in that state, with some fields changed. */
export const sample = <S extends RecordState>(state: S, fields: Partial<RecordIn<S>> = {}): RecordIn<S> => ({
  ...samples[state],
  ...fields,
});

/** The sample in that state, frozen: a transition that changes its argument would throw. */
export const frozen = <S extends RecordState>(state: S): RecordIn<S> =>
  deepFreeze(structuredClone(samples[state]));

function deepFreeze<V>(value: V): V {
  if (typeof value === 'object' && value !== null && !(value instanceof Date)) {
    Object.values(value).forEach(deepFreeze);
    Object.freeze(value);
  }
  return value;
}

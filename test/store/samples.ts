import type { RecordIn, RecordState } from '../../shared/model/record.ts';

const at = new Date('2026-11-23T12:00:00.123Z');
const common = {
  requestId: `ve1-${'a'.repeat(32)}`,
  project: 'demo-ee',
  jobKey: 'las-vegas/2020',
  attempt: 1,
  batchId: 'weekly@2026-11-23',
  labels: { team: 'water' },
  contentHash: 'c0ffee',
  messageId: '1',
  description: `las-vegas_ve1-${'a'.repeat(32)}`,
  destination: 'gs://bucket/prefix',
  priority: 100,
  revision: 1,
  submissions: 0,
  createdAt: at,
  updatedAt: at,
  history: [{ state: 'SUBMITTING', at, note: 'claimed' }],
};
const unsettled = { generation: 1, unanswered: 0, waits: 0, dueAt: at };
const error = { code: 404, status: 'NOT_FOUND', message: 'Collection not found', retryable: false };
const observed = {
  operation: 'projects/demo-ee/operations/OP1',
  progress: 0.25,
  stage: 'Render frames',
  runAttempt: 1,
  startedAt: at,
  eecuSeconds: 12.5,
};
const active = { ...common, ...observed, generation: 1, units: 3, movedAt: at, dueAt: at };
const terminal = { ...common, finishedAt: at, expireAt: new Date('2027-02-21T12:00:00.999Z') };

/** A record in each state, with most of its optional fields. */
export const samples: { readonly [S in RecordState]: RecordIn<S> } = {
  SUBMITTING: {
    ...common,
    ...unsettled,
    state: 'SUBMITTING',
    claim: { token: 'token', leaseUntil: at },
    searches: { firstEndedAt: at, lastStartedAt: at, refusedAt: at },
  },
  WAITING: { ...common, ...unsettled, state: 'WAITING', waitingFor: 'QUEUE', error },
  PENDING: { ...active, state: 'PENDING', progress: 0 },
  RUNNING: { ...active, state: 'RUNNING', stalledSince: at },
  CANCELLING: { ...active, state: 'CANCELLING', cancelRequestedAt: at },
  SUCCEEDED: {
    ...terminal,
    ...observed,
    state: 'SUCCEEDED',
    progress: 1,
    outputUris: ['gs://bucket/prefix.mp4'],
  },
  FAILED: { ...terminal, ...observed, state: 'FAILED', error },
  CANCELLED: { ...terminal, ...observed, state: 'CANCELLED', error },
  REJECTED: { ...terminal, state: 'REJECTED', error },
  LOST: { ...terminal, ...observed, state: 'LOST', error },
};

/** A record in `state` with some fields changed. */
export const sample = <S extends RecordState>(state: S, fields: Partial<RecordIn<S>> = {}): RecordIn<S> => ({
  ...samples[state],
  ...fields,
});

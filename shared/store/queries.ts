import { activeStates, terminalStates, unsettledStates, type RecordState } from '../model/record.ts';

/**
 * Every query of the service, as data: both stores run it, and a test holds infra's composite indexes against it.
 * Firestore appends the document id to every order, so pages are stable.
 */
export interface Query {
  readonly where: readonly (readonly [
    field: string,
    op: '==' | '<=' | '>=' | '<' | '>' | 'in' | 'array-contains',
    value: unknown,
  ])[];
  readonly orderBy: readonly (readonly [field: string, direction: 'asc' | 'desc'])[];
}

/** What holds a place in EE's queue, or is about to. */
const occupyingStates: readonly RecordState[] = ['SUBMITTING', ...activeStates];

/** Queries over `videoExports`. */
export const recordQueries = {
  /** Claims whose lease ran out. A query of their own: they never wait behind `WAITING` ones (rule 14). */
  overdueSubmitting: (now: Date): Query => ({
    where: [
      ['state', '==', 'SUBMITTING'],
      ['dueAt', '<=', now],
    ],
    orderBy: [['dueAt', 'asc']],
  }),
  /** Jobs that wait for something other than EE's queue. */
  dueWaiting: (now: Date): Query => ({
    where: [
      ['state', '==', 'WAITING'],
      ['waitingFor', 'in', ['SERVICE', 'PERMISSION', 'ADOPTION']],
      ['dueAt', '<=', now],
    ],
    orderBy: [['dueAt', 'asc']],
  }),
  /** Operations to ask EE for one by one: what sweeps missed. */
  dueOperations: (now: Date): Query => ({
    where: [
      ['state', 'in', activeStates],
      ['dueAt', '<=', now],
    ],
    orderBy: [['dueAt', 'asc']],
  }),
  /** The durable queue of a project, in the order in which EE is fed. */
  queued: (project: string): Query => ({
    where: [
      ['project', '==', project],
      ['state', '==', 'WAITING'],
      ['waitingFor', 'in', ['QUEUE', 'RATE']],
    ],
    orderBy: [
      ['priority', 'desc'],
      ['createdAt', 'asc'],
    ],
  }),
  /** Everything that waits, the oldest first. */
  waiting: (): Query => ({ where: [['state', '==', 'WAITING']], orderBy: [['createdAt', 'asc']] }),
  /** Records with events to publish. The field is there only while some are owed. */
  pendingEvents: (): Query => ({ where: [], orderBy: [['unpublishedEvents', 'asc']] }),
  /** Not terminal, by project: read one at a time with `after: [project]` to list the projects in use. */
  unfinishedByProject: (): Query => ({
    where: [['state', 'in', [...unsettledStates, ...activeStates]]],
    orderBy: [['project', 'asc']],
  }),
  active: (project: string): Query => ({
    where: [
      ['project', '==', project],
      ['state', 'in', activeStates],
    ],
    orderBy: [],
  }),
  occupying: (project: string): Query => ({
    where: [
      ['project', '==', project],
      ['state', 'in', occupyingStates],
    ],
    orderBy: [],
  }),
  /** A send got no answer: an operation may exist that no record knows. */
  unanswered: (project: string): Query => ({
    where: [
      ['project', '==', project],
      ['unanswered', '>', 0],
    ],
    orderBy: [['unanswered', 'asc']],
  }),
  byOperation: (operation: string): Query => ({ where: [['operation', '==', operation]], orderBy: [] }),
  ofBatch: (batchId: string): Query => ({
    where: [['batchId', '==', batchId]],
    orderBy: [['createdAt', 'asc']],
  }),
  ofBatchIn: (batchId: string, states: readonly RecordState[]): Query => ({
    where: [
      ['batchId', '==', batchId],
      ['state', 'in', states],
    ],
    orderBy: [['createdAt', 'asc']],
  }),
  /** Those created at `since` or later. */
  ofBatchSince: (batchId: string, since: Date): Query => ({
    where: [
      ['batchId', '==', batchId],
      ['createdAt', '>=', since],
    ],
    orderBy: [['createdAt', 'asc']],
  }),
  unfinishedOfBatch: (batchId: string): Query => ({
    where: [
      ['batchId', '==', batchId],
      ['state', 'in', [...unsettledStates, ...activeStates]],
    ],
    orderBy: [],
  }),
  /** Jobs of the batch whose record is another batch's, or nobody's. */
  alsoOfBatch: (batchId: string): Query => ({
    where: [['alsoBatches', 'array-contains', batchId]],
    orderBy: [],
  }),
  /** Attempts that were made of earlier ones. */
  retriesOfBatch: (batchId: string): Query => ({
    where: [
      ['batchId', '==', batchId],
      ['retryOf', '>', ''],
    ],
    orderBy: [['retryOf', 'asc']],
  }),
  /** All attempts at a job, of every project that has one of this name. */
  ofJobKey: (jobKey: string): Query => ({ where: [['jobKey', '==', jobKey]], orderBy: [] }),
  ofContent: (contentHash: string): Query => ({ where: [['contentHash', '==', contentHash]], orderBy: [] }),
  /** A label's name has no dot, so this is a path into `labels`. */
  ofLabel: (label: string, value: string): Query => ({
    where: [[`labels.${label}`, '==', value]],
    orderBy: [],
  }),
  terminalOfBatch: (batchId: string): Query => ({
    where: [
      ['batchId', '==', batchId],
      ['state', 'in', terminalStates],
    ],
    orderBy: [],
  }),
} as const;

/** Queries over `videoExportBatches`. */
export const batchQueries = {
  running: (): Query => ({ where: [['state', '==', 'RUNNING']], orderBy: [] }),
  finishedSince: (since: Date): Query => ({
    where: [['finishedAt', '>=', since]],
    orderBy: [['finishedAt', 'asc']],
  }),
  cancelledSince: (since: Date): Query => ({
    where: [['cancelRequestedAt', '>=', since]],
    orderBy: [['cancelRequestedAt', 'asc']],
  }),
  pendingEvents: (): Query => ({ where: [['owesEvent', '==', true]], orderBy: [] }),
} as const;

/** Queries over `rejectedMessages`. */
export const rejectedMessageQueries = {
  ofBatch: (batchId: string): Query => ({ where: [['batchId', '==', batchId]], orderBy: [] }),
} as const;

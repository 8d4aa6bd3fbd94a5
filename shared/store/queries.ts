import type { DeliveryState } from '../model/delivery.ts';
import {
  activeStates,
  otherReasons,
  queueReasons,
  type RecordState,
  submissionStates,
  terminalStates,
  type WaitingFor,
} from '../model/record.ts';

/**
 * Every query of the service, as data: both stores run it, and a test compares it with the composite indexes in `infra/`.
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

/** States that occupy a slot in Earth Engine's queue, or are about to. */
const occupyingStates: readonly RecordState[] = ['SUBMITTING', ...activeStates];

/** Queries over `videoExports`. */
export const recordQueries = {
  /** Claims whose lease has expired. They have their own query so that they never wait behind `WAITING` records (rule 14). */
  overdueSubmitting: (now: Date): Query => ({
    where: [
      ['state', '==', 'SUBMITTING'],
      ['dueAt', '<=', now],
    ],
    orderBy: [['dueAt', 'asc']],
  }),
  overdueSubmittingOf: (project: string, now: Date): Query => ({
    where: [
      ['project', '==', project],
      ['state', '==', 'SUBMITTING'],
      ['dueAt', '<=', now],
    ],
    orderBy: [['dueAt', 'asc']],
  }),
  /** Jobs that wait for something other than the queue, and are due. Jobs in the queue are in `queued`, due or not. */
  dueWaiting: (now: Date): Query => ({
    where: [
      ['state', '==', 'WAITING'],
      ['waitingFor', 'in', otherReasons],
      ['dueAt', '<=', now],
    ],
    orderBy: [['dueAt', 'asc']],
  }),
  /** Those of one project, for some reasons only. */
  dueWaitingOf: (project: string, reasons: readonly WaitingFor[], now: Date): Query => ({
    where: [
      ['project', '==', project],
      ['state', '==', 'WAITING'],
      ['waitingFor', 'in', reasons],
      ['dueAt', '<=', now],
    ],
    orderBy: [['dueAt', 'asc']],
  }),
  /**
   * Operations that sweeps missed, to get one by one. It also finds jobs that succeeded and whose delivery is due: so an idle
   * run needs no query of its own to learn that there are none.
   */
  dueOperations: (now: Date): Query => ({
    where: [
      ['state', 'in', [...activeStates, 'SUCCEEDED']],
      ['dueAt', '<=', now],
    ],
    orderBy: [['dueAt', 'asc']],
  }),
  dueOperationsOf: (project: string, now: Date): Query => ({
    where: [
      ['project', '==', project],
      ['state', 'in', activeStates],
      ['dueAt', '<=', now],
    ],
    orderBy: [['dueAt', 'asc']],
  }),
  /** Jobs that succeeded, and whose video must be looked for. */
  dueDeliveries: (now: Date): Query => ({
    where: [
      ['state', '==', 'SUCCEEDED'],
      ['dueAt', '<=', now],
    ],
    orderBy: [['dueAt', 'asc']],
  }),
  /** The newest records with a destination: those that may have written the same files. */
  ofDestination: (destination: string): Query => ({
    where: [['destination', '==', destination]],
    orderBy: [['createdAt', 'desc']],
  }),
  /** The durable queue of a project, in the order in which its jobs are sent. */
  queued: (project: string): Query => ({
    where: [
      ['project', '==', project],
      ['state', '==', 'WAITING'],
      ['waitingFor', 'in', queueReasons],
    ],
    orderBy: [
      ['priority', 'desc'],
      ['createdAt', 'asc'],
    ],
  }),
  /** Jobs that wait for Earth Engine, oldest first. What a budget holds may wait for a month, and nothing is wrong. */
  waitingUnheld: (): Query => ({
    where: [
      ['state', '==', 'WAITING'],
      ['waitingFor', 'in', [...queueReasons, ...otherReasons]],
    ],
    orderBy: [['createdAt', 'asc']],
  }),
  /** Everything that waits, oldest first. */
  waiting: (): Query => ({ where: [['state', '==', 'WAITING']], orderBy: [['createdAt', 'asc']] }),
  /** Records with pending events. The field exists only while there are some. */
  pendingEvents: (): Query => ({ where: [], orderBy: [['unpublishedEvents', 'asc']] }),
  /** Records that have not ended, by project: read one at a time, with `after: [project]`, to list the projects in use. */
  unfinishedByProject: (upTo?: string): Query => ({
    where: [
      ['state', 'in', [...submissionStates, ...activeStates]],
      ...(upTo === undefined ? [] : [['project', '<=', upTo] as const]),
    ],
    orderBy: [['project', 'asc']],
  }),
  /** Running jobs that may cost only so much. */
  runningWithLimit: (): Query => ({
    where: [
      ['state', '==', 'RUNNING'],
      ['maxEecuHours', '>', 0],
    ],
    orderBy: [['maxEecuHours', 'asc']],
  }),
  /** Jobs that a budget holds. The field exists only on them, so one read with `after: [id]` leads to the next budget. */
  heldByBudget: (): Query => ({ where: [], orderBy: [['heldBy', 'asc']] }),
  /** Those of one budget, in the order in which they are released. */
  heldBy: (budgetId: string): Query => ({
    where: [['heldBy', '==', budgetId]],
    orderBy: [
      ['priority', 'desc'],
      ['createdAt', 'asc'],
    ],
  }),
  /** Active records, beginning with the one whose operation was not seen to move for the longest time. */
  leastRecentlyMoved: (): Query => ({
    where: [['state', 'in', activeStates]],
    orderBy: [['movedAt', 'asc']],
  }),
  active: (project: string): Query => ({
    where: [
      ['project', '==', project],
      ['state', 'in', activeStates],
    ],
    orderBy: [],
  }),
  pending: (project: string): Query => ({
    where: [
      ['project', '==', project],
      ['state', '==', 'PENDING'],
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
  /** Records with an unanswered send: an operation may exist that no record has. */
  unanswered: (project: string): Query => ({
    where: [
      ['project', '==', project],
      ['unanswered', '>', 0],
    ],
    orderBy: [['unanswered', 'asc']],
  }),
  /** Records that have not ended and write to the same place. */
  unfinishedTo: (destination: string): Query => ({
    where: [
      ['destination', '==', destination],
      ['state', 'in', [...submissionStates, ...activeStates]],
    ],
    orderBy: [],
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
  /** Records created at `since` or later. */
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
      ['state', 'in', [...submissionStates, ...activeStates]],
    ],
    orderBy: [],
  }),
  /** Jobs of the batch whose record belongs to another batch, or to none. */
  alsoOfBatch: (batchId: string): Query => ({
    where: [['alsoBatches', 'array-contains', batchId]],
    orderBy: [],
  }),
  delivered: (delivery: DeliveryState): Query => ({
    where: [['delivery.state', '==', delivery]],
    orderBy: [],
  }),
  ofBatchDelivered: (batchId: string, delivery: DeliveryState): Query => ({
    where: [
      ['batchId', '==', batchId],
      ['delivery.state', '==', delivery],
    ],
    orderBy: [],
  }),
  alsoOfBatchDelivered: (batchId: string, delivery: DeliveryState): Query => ({
    where: [
      ['alsoBatches', 'array-contains', batchId],
      ['delivery.state', '==', delivery],
    ],
    orderBy: [],
  }),
  alsoOfBatchIn: (batchId: string, states: readonly RecordState[]): Query => ({
    where: [
      ['alsoBatches', 'array-contains', batchId],
      ['state', 'in', states],
    ],
    orderBy: [],
  }),
  alsoUnfinishedOfBatch: (batchId: string): Query => ({
    where: [
      ['alsoBatches', 'array-contains', batchId],
      ['state', 'in', [...submissionStates, ...activeStates]],
    ],
    orderBy: [],
  }),
  alsoRetriesOfBatch: (batchId: string): Query => ({
    where: [
      ['alsoBatches', 'array-contains', batchId],
      ['retryOf', '>', ''],
    ],
    orderBy: [['retryOf', 'asc']],
  }),
  /** Attempts that retry earlier ones. */
  retriesOfBatch: (batchId: string): Query => ({
    where: [
      ['batchId', '==', batchId],
      ['retryOf', '>', ''],
    ],
    orderBy: [['retryOf', 'asc']],
  }),
  /** All attempts at a job, in every project that has a job with this key. */
  ofJobKey: (jobKey: string): Query => ({ where: [['jobKey', '==', jobKey]], orderBy: [] }),
  ofContent: (contentHash: string): Query => ({ where: [['contentHash', '==', contentHash]], orderBy: [] }),
  /** A label's name has no dot, so this is a path within `labels`. */
  ofLabel: (label: string, value: string): Query => ({
    where: [[`labels.${label}`, '==', value]],
    orderBy: [],
  }),
  /** Jobs of one shape with a final cost, those that ended last first. */
  succeededOfShape: (shapeHash: string): Query => ({
    where: [
      ['shapeHash', '==', shapeHash],
      ['state', '==', 'SUCCEEDED'],
    ],
    orderBy: [['finishedAt', 'desc']],
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

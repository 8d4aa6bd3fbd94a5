import type { RecordState, WaitingFor } from '../model/record.ts';
import type { Query } from './queries.ts';

/**
 * Queries for lists that people read, newest first. The database applies one filter and the reader the others: an index for
 * every combination would cost each write more than the few reads that it saves.
 */

const newestFirst = [['createdAt', 'desc']] as const;
type Where = Query['where'][number];

const from = (since: Date | undefined): Where[] => (since ? [['createdAt', '>=', since]] : []);

/** Queries over `videoExports`. */
export const listQueries = {
  newest: (since?: Date): Query => ({ where: from(since), orderBy: newestFirst }),
  newestIn: (states: readonly RecordState[], since?: Date): Query => ({
    where: [['state', 'in', states], ...from(since)],
    orderBy: newestFirst,
  }),
  newestOfBatch: (batchId: string, since?: Date): Query => ({
    where: [['batchId', '==', batchId], ...from(since)],
    orderBy: newestFirst,
  }),
  /** Jobs of the batch whose record belongs to another batch, or to none. */
  newestAlsoOfBatch: (batchId: string, since?: Date): Query => ({
    where: [['alsoBatches', 'array-contains', batchId], ...from(since)],
    orderBy: newestFirst,
  }),
  inState: (state: RecordState): Query => ({ where: [['state', '==', state]], orderBy: [] }),
  /** Jobs that wait for one reason, the next one to be tried first. */
  waitingFor: (reason: WaitingFor): Query => ({
    where: [
      ['state', '==', 'WAITING'],
      ['waitingFor', 'in', [reason]],
    ],
    orderBy: [['dueAt', 'asc']],
  }),
  /** Attempts after the first. Each replaces the ones before it when jobs are counted. */
  laterAttempts: (): Query => ({ where: [['attempt', '>', 1]], orderBy: [['attempt', 'asc']] }),
  laterAttemptsOfBatch: (batchId: string): Query => ({
    where: [
      ['batchId', '==', batchId],
      ['attempt', '>', 1],
    ],
    orderBy: [['attempt', 'asc']],
  }),
  /** Those of jobs whose record belongs to another batch. */
  laterAttemptsSharedBy: (batchId: string): Query => ({
    where: [
      ['alsoBatches', 'array-contains', batchId],
      ['attempt', '>', 1],
    ],
    orderBy: [['attempt', 'asc']],
  }),
} as const;

/** Queries over `videoExports` whose `eecuSeconds` the database sums. */
export const costQueries = {
  inStates: (states: readonly RecordState[]): Query => ({ where: [['state', 'in', states]], orderBy: [] }),
  inStatesOfBatch: (states: readonly RecordState[], batchId: string): Query => ({
    where: [
      ['batchId', '==', batchId],
      ['state', 'in', states],
    ],
    orderBy: [],
  }),
  /** Records that ended without a final cost. */
  lowerBounds: (): Query => ({ where: [['eecuIsLowerBound', '==', true]], orderBy: [] }),
  lowerBoundsOfBatch: (batchId: string): Query => ({
    where: [
      ['batchId', '==', batchId],
      ['eecuIsLowerBound', '==', true],
    ],
    orderBy: [],
  }),
} as const;

/** Its index is one of `indexed_labels` in Terraform: each deployment chooses which labels to index. */
export const newestOfLabel = (label: string, value: string, since?: Date): Query => ({
  where: [[`labels.${label}`, '==', value], ...from(since)],
  orderBy: newestFirst,
});

/** Queries over `rejectedMessages`. */
export const rejectedMessageListQueries = {
  newest: (since?: Date): Query => ({ where: from(since), orderBy: newestFirst }),
} as const;

/** Queries over `videoExportBatches`. */
export const batchListQueries = {
  newest: (since?: Date): Query => ({ where: from(since), orderBy: newestFirst }),
} as const;

/** Queries over `videoExportProjects`. */
export const projectListQueries = {
  /** Projects that Earth Engine has reported as restricted, in this month or an earlier one. */
  restricted: (): Query => ({ where: [], orderBy: [['parallelismRestrictedAt', 'desc']] }),
} as const;

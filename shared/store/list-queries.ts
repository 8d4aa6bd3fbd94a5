import type { RecordState } from '../model/record.ts';
import type { Query } from './queries.ts';

/**
 * What people look through, newest first. One filter by the database, the rest by the reader: an index for every combination
 * would cost each write more than the few reads that it saves.
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
  inState: (state: RecordState): Query => ({ where: [['state', '==', state]], orderBy: [] }),
} as const;

/** Its index is one of `indexed_labels`: which labels are asked for is the deployment's to know. */
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

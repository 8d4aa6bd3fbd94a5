import type { DeliveryState } from '../model/delivery.ts';
import type { RecordState, WaitingFor } from '../model/record.ts';
import type { Query } from './queries.ts';

/** Queries of the page that people look at, beside those for lists (`list-queries.ts`). */

/** Queries over `videoExports`. */
export const pageQueries = {
  newestChanges: (): Query => ({ where: [], orderBy: [['updatedAt', 'desc']] }),
  waitingFor: (reason: WaitingFor): Query => ({
    where: [
      ['state', '==', 'WAITING'],
      ['waitingFor', '==', reason],
    ],
    orderBy: [['dueAt', 'asc']],
  }),
  finished: (from: Date, to: Date): Query => ({
    where: [
      ['finishedAt', '>=', from],
      ['finishedAt', '<', to],
    ],
    orderBy: [['finishedAt', 'desc']],
  }),
  finishedIn: (states: readonly RecordState[], from: Date, to: Date): Query => ({
    where: [
      ['state', 'in', states],
      ['finishedAt', '>=', from],
      ['finishedAt', '<', to],
    ],
    orderBy: [['finishedAt', 'desc']],
  }),
  /** Jobs whose videos are so, those that ended last first. */
  delivered: (deliveries: readonly DeliveryState[], endedSince?: Date): Query => ({
    where: [
      ['delivery.state', 'in', deliveries],
      ...(endedSince ? ([['finishedAt', '>=', endedSince]] as const) : []),
    ],
    orderBy: [['finishedAt', 'desc']],
  }),
  /** The field exists only while an operation shows no progress. */
  stalled: (): Query => ({ where: [], orderBy: [['stalledSince', 'asc']] }),
} as const;

/** Queries over `videoExportProjects`. */
export const pageProjectQueries = {
  newestChanges: (): Query => ({ where: [], orderBy: [['updatedAt', 'desc']] }),
} as const;

/** Queries over `videoExportBatches`. */
export const pageBatchQueries = {
  newestChanges: (): Query => ({ where: [], orderBy: [['updatedAt', 'desc']] }),
} as const;

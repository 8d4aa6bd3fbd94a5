import type { Cancellation } from '../../shared/cancellation/cancellation-schema.ts';
import type { Batch } from '../../shared/model/batch.ts';
import { type ExportRecord, isTerminal } from '../../shared/model/record.ts';
import type { FuzzBatch, FuzzJob } from './jobs.ts';

/** What was asked for and what is stored, by a clock that is never off. Assertions compare the two. */
export interface Facts {
  /** As they are stored. */
  readonly records: Map<string, ExportRecord>;
  readonly batches: Map<string, Batch>;
  /** As they were when they were deleted, and when that was. */
  readonly expiredRecords: Map<string, ExportRecord>;
  readonly expiredMs: Map<string, number>;
  /** Records whose request parts are gone. */
  readonly lostRequests: Set<string>;
  readonly createdMs: Map<string, number>;
  readonly endedMs: Map<string, number>;
  /** Jobs whose message was published by hand, by record id. */
  readonly published: Map<string, FuzzJob>;
  /** When its messages were published, by record id; those of a batch, when its manifest was. */
  readonly publishedMs: Map<string, readonly number[]>;
  /** Batches whose manifest was published, by id. */
  readonly manifests: Map<string, FuzzBatch>;
  /** Batches that were canceled while their jobs were being published: the rest of them is never published. */
  readonly cutShort: Set<string>;
  readonly cancellations: CancellationFact[];
  /** When a message of a record was first handed to a process. */
  readonly takenMs: Map<string, number>;
  /** Records whose request was damaged before it was sent. */
  readonly damaged: Set<string>;
  /** Ids of messages that are not jobs. */
  readonly nonsense: string[];
  /** When calls stopped going wrong. */
  readonly calmMs: number[];
}

export interface CancellationFact {
  readonly cancellation: Cancellation;
  readonly messageId: string;
  readonly publishedMs: number;
  /** When its message was first acknowledged. */
  handledMs?: number;
}

export function createFacts(): Facts {
  return {
    records: new Map(),
    batches: new Map(),
    expiredRecords: new Map(),
    expiredMs: new Map(),
    lostRequests: new Set(),
    createdMs: new Map(),
    endedMs: new Map(),
    published: new Map(),
    cutShort: new Set(),
    publishedMs: new Map(),
    manifests: new Map(),
    cancellations: [],
    takenMs: new Map(),
    damaged: new Set(),
    nonsense: [],
    calmMs: [],
  };
}

/** Every record that there ever was, by id. */
export const allRecords = ({ records, expiredRecords }: Facts): ReadonlyMap<string, ExportRecord> =>
  new Map([...expiredRecords, ...records]);

/** Whether a cancellation names a record; when it was published does not matter here. */
export function isNamed(
  { cancellation }: Pick<CancellationFact, 'cancellation'>,
  id: string,
  record: Pick<ExportRecord, 'jobKey' | 'project' | 'attempt' | 'batchId' | 'alsoBatches'>,
): boolean {
  const { recordId, jobKey, project, attempt, batchId } = cancellation;
  if (recordId !== undefined) {
    return recordId === id;
  }
  if (jobKey !== undefined) {
    return (
      jobKey === record.jobKey &&
      project === record.project &&
      (attempt === undefined || attempt === record.attempt)
    );
  }
  return batchId !== undefined && batchIdsOf(record).includes(batchId);
}

export const batchIdsOf = ({
  batchId,
  alsoBatches,
}: Pick<ExportRecord, 'batchId' | 'alsoBatches'>): string[] => [
  ...(batchId === undefined ? [] : [batchId]),
  ...(alsoBatches ?? []),
];

/** Nothing is left to do for the stored documents. */
export function hasEnded({ records, batches }: Facts): boolean {
  return (
    [...records.values()].every((record) => isTerminal(record) && !record.unpublishedEvents?.length) &&
    [...batches.values()].every(({ state, owesEvent }) => state === 'FINISHED' && !owesEvent)
  );
}

import type { ExportRecord } from '../model/record.ts';

/** The batches that a record counts for: the one that it was created for, and those whose messages arrived later. */

/** Any publisher may submit the same job in any number of batches; a record must stay small. */
const MAX_ALSO = 100;

export const batchesOf = ({ batchId, alsoBatches = [] }: ExportRecord): string[] =>
  batchId === undefined ? alsoBatches : [batchId, ...alsoBatches];

export const isOfBatch = (record: ExportRecord, batchId: string): boolean =>
  batchesOf(record).includes(batchId);

/**
 * Adds a batch whose message found this record, so that the batch does not wait for another record. A record that was
 * canceled before any message arrived has no batch yet; it becomes this batch's own.
 *
 * @returns undefined if the record already has the batch, or has room for no more
 */
export function withBatch(record: ExportRecord, batchId: string, now: Date): ExportRecord | undefined {
  if (isOfBatch(record, batchId)) {
    return undefined;
  }
  const written = { revision: record.revision + 1, updatedAt: now };
  if (record.batchId === undefined && record.contentHash === undefined) {
    return { ...record, batchId, ...written };
  }
  const also = record.alsoBatches ?? [];
  return also.length < MAX_ALSO ? { ...record, alsoBatches: [...also, batchId], ...written } : undefined;
}

import type { ExportRecord } from '../model/record.ts';

/** Which batches a record counts for: the one that it was made for, and those that came upon it. */

/** Anyone may publish a job under any number of names; a record must stay small. */
const MAX_ALSO = 100;

export const isOfBatch = (record: ExportRecord, batchId: string): boolean =>
  record.batchId === batchId || (record.alsoBatches ?? []).includes(batchId);

/**
 * The record once a message of `batchId` has come upon it, so that this batch need not wait for a record of its own. One that
 * was cancelled before any message came is nobody's yet, and becomes this batch's.
 *
 * @returns undefined where nothing is to be written: it says so already, or can take no more
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

import { z } from 'zod';

import { DAY_MS } from '../clock.ts';
import { deliveryStates } from './delivery.ts';
import { recordStates } from './record.ts';

/**
 * `videoExportBatches/{batchId}@{run}`: one run of one manifest, or a group of jobs that was canceled by its name.
 *
 * Written by: expandBatch (EXPANDING, its progress, RUNNING), cancelExports and pollExports (`cancelRequestedAt`,
 * `cancelledThrough`), pollExports (FINISHED, and RUNNING again if a job arrives late), the command line's `retry`
 * (RUNNING). Every write is conditioned on the version that was read. Deleted by Firestore's TTL on `expireAt`, which a
 * finished batch has, and also a batch in expansion, in case the expansion never continues.
 */
export const batchSchema = z.object({
  state: z
    .enum(['EXPANDING', 'RUNNING', 'FINISHED'])
    .describe('Its jobs are being published; all are published; all have ended'),
  batchId: z.string().describe('From the manifest'),
  run: z
    .string()
    .describe(
      'From the manifest, or the day, hour or minute of its message; empty for jobs that no manifest made',
    ),
  /** Another manifest for the same run is rejected. */
  manifestHash: z.string().describe('SHA-256 over the manifest; empty if there is none'),
  messageId: z.string().describe('The message that created the batch'),
  jobs: z.int().min(0).describe('How many jobs it has'),
  /** They are the first ones: a retry after a crash resumes here. */
  published: z.int().min(0).describe('How many of its jobs are published'),
  existing: z
    .int()
    .min(0)
    .optional()
    .describe('How many of those have a record that belongs to too many batches to store this one too'),
  /** Others leave a claimed batch alone, and it is not finished. */
  claim: z
    .object({ token: z.string(), leaseUntil: z.date() })
    .optional()
    .describe('The process that adds jobs to it, and until when'),
  cancelRequestedAt: z.date().optional().describe('When its cancellation was published'),
  cancelledThrough: z
    .date()
    .optional()
    .describe('Records of the batch that were created before this are canceled, as far as possible'),
  ignoresCancellationsUntil: z
    .date()
    .optional()
    .describe('Cancellations that were published earlier have no effect, since the batch was retried'),
  counts: z
    .partialRecord(z.enum(recordStates), z.int().min(0))
    .optional()
    .describe(
      'How many records it has by state once it is finished, including earlier attempts and jobs that it shares with other batches',
    ),
  deliveries: z
    .partialRecord(z.enum(deliveryStates), z.int().min(0))
    .optional()
    .describe(
      'How many of its jobs that succeeded have a delivery in each state, once it is finished; `PENDING` ones are decided later',
    ),
  rejectedMessages: z.int().min(0).optional().describe('How many of its jobs never became a record'),
  expired: z
    .int()
    .min(0)
    .optional()
    .describe('How many of its jobs have no record anymore, or never had one because their message was lost'),
  eecuSeconds: z
    .number()
    .optional()
    .describe('What all attempts cost, including the lower bounds of those that have no final cost'),
  owesEvent: z.literal(true).optional().describe('The event that it is finished is pending'),
  revision: z.int().min(1).describe('Incremented by every write; part of the `eventId`'),
  createdAt: z.date().describe('When its manifest arrived'),
  expandedAt: z.date().optional().describe('When all of its jobs were published'),
  finishedAt: z.date().optional().describe('When its last record ended'),
  updatedAt: z.date().describe('When the batch was last written'),
  expireAt: z.date().optional().describe('When Firestore deletes it'),
});
export type Batch = z.infer<typeof batchSchema>;

/** Whether a cancellation had or may still have an effect: one that comes after every job has ended has none. */
export const isCanceled = ({ state, counts, cancelRequestedAt }: Batch): boolean =>
  cancelRequestedAt !== undefined && (state !== 'FINISHED' || !counts || (counts.CANCELLED ?? 0) > 0);

/** Pub/Sub delivers a job's message no later than this (`message_retention_duration`). */
export const ON_THE_WAY_MS = 7 * DAY_MS;

/**
 * No message of a batch arrives later than this after all were published: one is on its way for up to 7 days, and can be
 * replayed from the dead-letter topic's subscription for another 31 (`message_retention_duration`).
 */
export const LAST_ARRIVAL_MS = ON_THE_WAY_MS + 31 * DAY_MS;

/** A finished batch, RUNNING again. What was counted at its end is counted anew. */
export function reopenedBatch(batch: Batch) {
  const {
    finishedAt: _finished,
    expireAt: _expiry,
    counts: _counts,
    deliveries: _deliveries,
    expired: _expired,
    eecuSeconds: _eecu,
    owesEvent: _event,
    ...rest
  } = batch;
  return { ...rest, state: 'RUNNING' } as const;
}

import { z } from 'zod';

import { DAY_MS } from '../clock.ts';
import { recordStates } from './record.ts';

/**
 * `videoExportBatches/{batchId}@{run}`: one run of one manifest, or a group of jobs that was cancelled by its name.
 *
 * Written by: expandBatch (EXPANDING, its progress, RUNNING), cancelExports and pollExports (`cancelRequestedAt`,
 * `cancelledThrough`), pollExports (FINISHED, and RUNNING again where a job came late), whoever runs its jobs again (RUNNING). Every write is conditioned on the
 * version that was read. Deleted by Firestore's TTL on `expireAt`, which a finished batch has, and one that is being expanded, in
 * case nobody goes on with it.
 */
export const batchSchema = z.object({
  state: z.enum(['EXPANDING', 'RUNNING', 'FINISHED']),
  batchId: z.string(),
  /** Empty for a group of jobs that no manifest made. */
  run: z.string(),
  /** The manifest's content: another manifest for the same run is refused. Empty where none has come. */
  manifestHash: z.string(),
  /** The message that made it. */
  messageId: z.string(),
  /** How many jobs it has. */
  jobs: z.int().min(0),
  /** How many of them are published, from the first: where a crashed expansion goes on. */
  published: z.int().min(0),
  /** How many of those had a record already that is not of this batch: nothing was to be done for them. */
  existing: z.int().min(0).optional(),
  /** Who adds to it, until when: others leave it alone, and it is not finished. */
  claim: z.object({ token: z.string(), leaseUntil: z.date() }).optional(),
  cancelRequestedAt: z.date().optional(),
  /** Its records that were created before this are cancelled, as far as they could be. */
  cancelledThrough: z.date().optional(),
  /** How many records it has by state, earlier attempts included. */
  counts: z.partialRecord(z.enum(recordStates), z.int().min(0)).optional(),
  /** Jobs of the batch that never became a record. */
  rejectedMessages: z.int().min(0).optional(),
  /** Of all attempts. */
  eecuSeconds: z.number().optional(),
  /** The event that says it is finished is not published yet. */
  owesEvent: z.literal(true).optional(),
  revision: z.int().min(1),
  createdAt: z.date(),
  expandedAt: z.date().optional(),
  finishedAt: z.date().optional(),
  updatedAt: z.date(),
  expireAt: z.date().optional(),
});
export type Batch = z.infer<typeof batchSchema>;

/** Pub/Sub delivers a job's message no later than this (`message_retention_duration`). */
export const ON_THE_WAY_MS = 7 * DAY_MS;

/** A batch that has finished, RUNNING again: what was found at its end is found anew. */
export function reopenedBatch(batch: Batch) {
  const {
    finishedAt: _finished,
    expireAt: _expiry,
    counts: _counts,
    eecuSeconds: _eecu,
    owesEvent: _event,
    ...rest
  } = batch;
  return { ...rest, state: 'RUNNING' } as const;
}

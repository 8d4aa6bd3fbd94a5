import { z } from 'zod';

import { recordStates } from '../record/record.ts';

/**
 * `videoExportBatches/{batchId}@{run}`: one run of one manifest.
 *
 * Written by expandBatch (EXPANDING, its progress, RUNNING), cancelExports (`cancelRequestedAt`) and pollExports
 * (FINISHED). Deleted by Firestore's TTL on `expireAt`, which a finished batch has.
 */
export const batchSchema = z.object({
  state: z.enum(['EXPANDING', 'RUNNING', 'FINISHED']),
  batchId: z.string(),
  run: z.string(),
  /** The manifest's content: another manifest for the same run is refused. */
  manifestHash: z.string(),
  messageId: z.string(),
  /** How many jobs it has. */
  jobs: z.int().min(0),
  /** How many of them are published: where a crashed expansion goes on. */
  published: z.int().min(0),
  /** Who expands it, until when: others leave it alone. */
  claim: z.object({ token: z.string(), leaseUntil: z.date() }).optional(),
  cancelRequestedAt: z.date().optional(),
  counts: z.partialRecord(z.enum(recordStates), z.int().min(0)).optional(),
  /** Messages of the batch that never became a record. */
  rejectedMessages: z.int().min(0).optional(),
  eecuSeconds: z.number().optional(),
  revision: z.int().min(1),
  createdAt: z.date(),
  expandedAt: z.date().optional(),
  finishedAt: z.date().optional(),
  updatedAt: z.date(),
  expireAt: z.date().optional(),
});
export type Batch = z.infer<typeof batchSchema>;

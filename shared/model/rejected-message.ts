import { z } from 'zod';

/** One thing that is wrong with a message: where, what was found and what is allowed. */
export const issueSchema = z.object({ path: z.string(), message: z.string() });
export type Issue = z.infer<typeof issueSchema>;

/**
 * `rejectedMessages/{messageId}`: a message that never became a job.
 *
 * Written once by the function that refused it (or by recordDeadLetter for one that no function could handle); deleted by
 * Firestore's TTL on `expireAt`.
 */
export const rejectedMessageSchema = z.object({
  /** A stable code: INVALID_DATA, INVALID_JOB, CONFLICT, INVALID_MANIFEST, INVALID_CANCELLATION, DEAD_LETTER. */
  reason: z.string(),
  issues: z.array(issueSchema),
  /** The topic's function that refused it, such as `submitExport`. */
  source: z.string(),
  publishTime: z.date().optional(),
  attributes: z.record(z.string(), z.string()),
  /** The first 8 KB of the data, as text. */
  data: z.string(),
  /** How often it was delivered, where known. */
  deliveryAttempt: z.int().optional(),
  /** The record that the message was for, where it could be told: a conflict, a dead letter. */
  recordId: z.string().optional(),
  batchId: z.string().optional(),
  replayedAt: z.date().optional(),
  createdAt: z.date(),
  expireAt: z.date(),
});
export type RejectedMessage = z.infer<typeof rejectedMessageSchema>;

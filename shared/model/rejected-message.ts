import { z } from 'zod';

/** One thing that is wrong with a message: where it is, what was found, and what is allowed. */
export const issueSchema = z.object({ path: z.string(), message: z.string() });
export type Issue = z.infer<typeof issueSchema>;

/**
 * `rejectedMessages/{messageId}`: a message that never became a job.
 *
 * Written once by the function that rejected it, or by recordDeadLetter if no function could handle it. Deleted by
 * Firestore's TTL on `expireAt`.
 */
export const rejectedMessageSchema = z.object({
  reason: z
    .string()
    .describe(
      '`INVALID_DATA`, `INVALID_JOB`, `CONFLICT`, `INVALID_MANIFEST`, `INVALID_CANCELLATION` or `DEAD_LETTER`',
    ),
  issues: z
    .array(issueSchema)
    .describe('Everything that is wrong: where (`path`), what was found and what is allowed (`message`)'),
  source: z.string().describe('The function that rejected it, such as `submitExport`'),
  publishTime: z.date().optional().describe('When it was published'),
  attributes: z.record(z.string(), z.string()).describe('Its attributes'),
  data: z.string().describe('The first 8 KB of its data, as text'),
  deliveryAttempt: z.int().optional().describe('How often it was delivered, if known'),
  recordId: z.string().optional().describe('The record that it was for, if known'),
  batchId: z.string().optional().describe('The batch of the job'),
  replayedAt: z.date().optional().describe('When it was published again'),
  owesOriginal: z.literal(true).optional().describe('Its original is not kept in the dead-letter topic yet'),
  createdAt: z.date().describe('When it was rejected'),
  expireAt: z.date().describe('When Firestore deletes it'),
});
export type RejectedMessage = z.infer<typeof rejectedMessageSchema>;

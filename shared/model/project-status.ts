import { z } from 'zod';

import { queueReasons } from './record.ts';

/**
 * `videoExportProjects/{project}`: what every instance must know about an Earth Engine project before it sends.
 *
 * Written by the sender that Earth Engine refuses for a full queue or a rate, and by the prober. Never deleted.
 */
export const projectStatusSchema = z.object({
  /** The gate is closed until this time; after it, a probe decides whether the gate opens. Absent while the gate is open. */
  closedUntil: z.date().optional(),
  /** The number of closures in a row: the exponent of the backoff. */
  closures: z.int().min(0),
  closedFor: z.enum(queueReasons).optional(),
  /** The process that may send the one job that tests the queue. Leased, so that it ends if that process dies (rule 14). */
  probe: z.object({ token: z.string(), leaseUntil: z.date() }).optional(),
  /** When an operation came back without the marker in its description: searches may not find operations (rule 5). */
  markerMissingAt: z.date().optional(),
  /** That operation. If a list shows its marker, only the response lacked it. */
  markerMissingOn: z.string().optional(),
  /** When a later operation had its marker again. Searches for records that were sent before stay inconclusive. */
  markerSeenAt: z.date().optional(),
  /** Since when Earth Engine restricts this project's parallelism because its quota is used up; absent otherwise. */
  parallelismRestrictedAt: z.date().optional(),
  updatedAt: z.date(),
});
export type ProjectStatus = z.infer<typeof projectStatusSchema>;

/**
 * `videoExportSweeps/{project}`: what earlier sweeps saw, so that the next one reads only records whose operation
 * changed.
 *
 * Written only by pollExports, after the records that it describes.
 */
export const sweepSchema = z.object({
  /** When the last complete sweep recorded here started. Operations that ended well before it are known. */
  completedAt: z.date(),
  /** The number of list pages that it read. */
  pages: z.int().min(0),
  /** What is known about each of our operations, packed (`sweep-snapshot.ts`). */
  known: z.instanceof(Uint8Array),
  updatedAt: z.date(),
});
export type Sweep = z.infer<typeof sweepSchema>;

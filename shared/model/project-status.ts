import { z } from 'zod';

/**
 * `videoExportProjects/{project}`: what every instance must know of an EE project before it sends.
 *
 * Written by whoever hears from EE that it cannot take more, and by the prober. Never deleted.
 */
export const projectStatusSchema = z.object({
  /** Nothing but a probe is sent before this. In the past: probing reopens it. Absent: open. */
  closedUntil: z.date().optional(),
  /** How often in a row it was closed: what the wait doubles by. */
  closures: z.int().min(0),
  closedFor: z.enum(['QUEUE', 'RATE']).optional(),
  /**
   * Who may send the one job that finds out whether EE takes more. Leased, so that a dead prober frees it (rule 14).
   */
  probe: z.object({ token: z.string(), leaseUntil: z.date() }).optional(),
  /** An operation came back without the marker in its description: then no id is given up (rule 5). */
  markerMissingAt: z.date().optional(),
  /** EE said that it restricts this project's parallelism (quota used up); absent otherwise. */
  parallelismRestrictedAt: z.date().optional(),
  updatedAt: z.date(),
});
export type ProjectStatus = z.infer<typeof projectStatusSchema>;

/**
 * `videoExportSweeps/{project}`: what earlier sweeps saw, so that the next reads only records whose operation changed.
 *
 * Written by pollExports alone, after the records it speaks of.
 */
export const sweepSchema = z.object({
  /** When the last complete sweep that is recorded here started. What ended well before it is known. */
  completedAt: z.date(),
  /** How many list pages it read. */
  pages: z.int().min(0),
  /** What is known of each of our operations, packed (`sweep.ts`). */
  known: z.instanceof(Uint8Array),
  updatedAt: z.date(),
});
export type Sweep = z.infer<typeof sweepSchema>;

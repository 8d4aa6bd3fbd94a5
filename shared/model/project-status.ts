import { z } from 'zod';

import { queueReasons } from './record.ts';

/**
 * `videoExportProjects/{project}`: what every instance must know about an Earth Engine project before it sends.
 *
 * Written by the sender that Earth Engine refuses for a full queue or a rate, by the prober, by runs that sent much, and by
 * whoever gets a response that shows a change of its quota status. Never deleted.
 */
export const projectStatusSchema = z.object({
  closedUntil: z
    .date()
    .optional()
    .describe(
      'Earth Engine accepts no more jobs until this time; then one job tests whether it does. Absent while the gate is open',
    ),
  /** The exponent of the backoff. */
  closures: z.int().min(0).describe('How often in a row the gate has been closed'),
  closedFor: z.enum(queueReasons).optional().describe('Why'),
  /** Leased, so that it ends if that process dies (rule 14). */
  probe: z
    .object({ token: z.string(), leaseUntil: z.date() })
    .optional()
    .describe('The process that may send that one job'),
  poller: z
    .object({ token: z.string(), leaseUntil: z.date() })
    .optional()
    .describe('The run that polls this project alone, when polls are spread over instances'),
  pace: z
    .object({
      perSecond: z.number().positive(),
      limit: z.number().positive().optional().describe('The last rate that was too high'),
      at: z.date(),
    })
    .optional()
    .describe(
      'How many calls per second were sent last, from which the next run and other instances continue',
    ),
  /** Searches may not find operations (rule 5). */
  markerMissingAt: z
    .date()
    .optional()
    .describe('When an operation came back without the requestId in its description'),
  markerMissingOn: z
    .string()
    .optional()
    .describe('That operation; if a list shows its marker, only the response lacked it'),
  /** Searches for records that were sent before stay inconclusive. */
  markerSeenAt: z.date().optional().describe('When a later operation had its requestId again'),
  parallelismRestrictedAt: z
    .date()
    .optional()
    .describe(
      'When Earth Engine first reported that it runs fewer exports at once because the quota of the month is used up; not valid after that month, in Pacific time',
    ),
  owesEvent: z
    .object({ state: z.enum(['RESTRICTED', 'UNRESTRICTED']), at: z.date() })
    .optional()
    .describe('A pending event'),
  updatedAt: z.date().describe('When the document was last written'),
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

/**
 * `videoExportLists/{project}`: a list of operations that searches need and that takes longer than one run, as far as it
 * was read. The next run reads on from there.
 *
 * Written only by pollExports.
 */
export const unfinishedListSchema = z.object({
  /** When its first page was requested. */
  startedAt: z.date(),
  /** The next page; absent if nothing is to be continued. */
  pageToken: z.string().optional(),
  /** The pages that were read. */
  pages: z.int().min(0),
  /** When the youngest operation on them was created that may hide a marker; absent if there is none. */
  hidingAt: z.date().optional(),
  /** What they showed: records by their markers, and operations, packed (`unfinished-list.ts`). */
  shown: z.instanceof(Uint8Array),
  updatedAt: z.date(),
});
export type UnfinishedList = z.infer<typeof unfinishedListSchema>;

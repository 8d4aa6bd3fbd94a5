import { z } from 'zod';

/**
 * `exportBudgets/{id}`: how much Earth Engine compute some jobs may use.
 *
 * Written by operators: with `budget set`, or with any Firestore client. The service only reads it, so what it knows about a
 * budget is in `exportBudgetStatus`. Never deleted by the service.
 */

const timeZone = z
  .string()
  .refine((name) => isTimeZone(name), 'a time zone of the IANA database, such as Europe/Berlin');

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: name }).format(0) !== '';
  } catch {
    return false;
  }
}

/** What is done when a threshold is reached. `CANCEL` includes `HOLD`. */
export const budgetActions = ['NOTIFY', 'HOLD', 'CANCEL'] as const;

export const budgetThresholdSchema = z.object({
  percent: z.number().positive().max(1000).describe('Of the limit'),
  action: z
    .enum(budgetActions)
    .describe(
      '`NOTIFY` sends an event, `HOLD` also lets nothing new start, and `CANCEL` also cancels what runs',
    ),
});
export type BudgetThreshold = z.infer<typeof budgetThresholdSchema>;

const MAX_THRESHOLDS = 20;

export const budgetMatchSchema = z.strictObject({
  project: z.string().min(1).max(100).optional().describe('Only jobs of this Earth Engine project'),
  batchIdPrefix: z
    .string()
    .min(1)
    .max(129)
    .optional()
    .describe('Only jobs whose `batchId` begins with this; a shared job counts in the batch that created it'),
  label: z
    .strictObject({
      key: z.string().regex(/^[a-z][a-z0-9_-]{0,62}$/),
      value: z.string().max(63),
    })
    .optional()
    .describe('Only jobs with this label: `{key, value}`'),
});
export type BudgetMatch = z.infer<typeof budgetMatchSchema>;

export const budgetSchema = z.object({
  match: budgetMatchSchema.describe('The jobs that it covers: those that match all of it; `{}` covers all'),
  period: z
    .enum(['MONTH', 'TOTAL'])
    .describe('`MONTH` starts again with each calendar month; `TOTAL` never does'),
  timeZone: timeZone.optional().describe('Where a month begins at midnight (default: UTC)'),
  limitEecuHours: z.number().min(0).max(1e9).describe('100 percent'),
  thresholds: z
    .array(budgetThresholdSchema)
    .max(MAX_THRESHOLDS)
    .describe('What happens at how many percent; without any, the budget only reports'),
  strict: z
    .boolean()
    .optional()
    .describe('Hold its jobs also while the service cannot tell how much was spent (default: false)'),
});
export type Budget = z.infer<typeof budgetSchema>;

/** A threshold that was reached in the current period, and reported. */
const toldThreshold = z.object({ ...budgetThresholdSchema.shape, at: z.date() });

const budgetEvent = z.object({
  budgetId: z.string(),
  /** `2026-11`, or `TOTAL`. */
  period: z.string(),
  percent: z.number(),
  action: z.enum(budgetActions),
  spentEecuSeconds: z.number(),
  limitEecuHours: z.number(),
  at: z.date(),
});
export type BudgetEvent = z.infer<typeof budgetEvent>;

const budgetFigures = z.object({
  id: z.string(),
  match: budgetMatchSchema,
  /** `2026-11`, or `TOTAL`; absent for a document that cannot be read. */
  period: z.string().optional(),
  /** When the figures of this period are over. */
  endsAt: z.date().optional(),
  limitEecuHours: z.number().optional(),
  /** What ended jobs have cost in the period, and what running ones have cost so far. */
  spentEecuSeconds: z.number().optional(),
  /** The part of it that running jobs have cost so far. */
  runningEecuSeconds: z.number().optional(),
  strict: z.boolean(),
  holds: z.boolean(),
  cancels: z.boolean(),
  /** Why its figures are missing. */
  problem: z.string().optional(),
  told: z.array(toldThreshold),
  /** A `TOTAL` budget: what jobs that ended before `until` have cost. Their records may be deleted. */
  settled: z
    .object({
      /** The match that it was summed for. */
      match: z.string(),
      until: z.date(),
      eecuSeconds: z.number(),
    })
    .optional(),
});
export type BudgetFigures = z.infer<typeof budgetFigures>;

/**
 * `exportBudgetStatus/current`: what was spent of each budget, as the last poll summed it from the records, and which
 * budgets hold jobs. Every instance reads it every few seconds, instead of summing records itself.
 *
 * Written by pollExports, by an instance that finds it out of date, and by `budget set`. Apart from `told` and `settled`,
 * it can be deleted: everything else follows from the records.
 */
export const budgetStatusSchema = z.object({
  computedAt: z.date().describe('When the sums were made'),
  budgets: z
    .array(budgetFigures)
    .describe('For each budget: its `id`, `period`, `spentEecuSeconds`, and whether it `holds` jobs'),
  unpublishedEvents: z.array(budgetEvent).optional().describe('Pending events'),
});
export type BudgetStatus = z.infer<typeof budgetStatusSchema>;

import type { z } from 'zod';

import { batchSchema } from '../model/batch.ts';
import { budgetSchema, budgetStatusSchema } from '../model/budget.ts';
import { UnreadableError } from '../errors.ts';
import { rejectedMessageSchema } from '../model/rejected-message.ts';
import { recordSchema } from '../model/record.ts';
import { projectStatusSchema, sweepSchema, unfinishedListSchema } from '../model/project-status.ts';
import { serviceSettingsSchema } from '../model/service-settings.ts';
import type { Fields } from './fields.ts';
import type { Found } from './store.ts';

/** A top-level collection, and the schema by which each of its documents is parsed on every read. */
export interface Collection<T> {
  readonly path: string;
  readonly schema: z.ZodType<T>;
}

const collection = <T>(path: string, schema: z.ZodType<T>): Collection<T> => ({ path, schema });

export const collections = {
  records: collection('videoExports', recordSchema),
  projects: collection('videoExportProjects', projectStatusSchema),
  sweeps: collection('videoExportSweeps', sweepSchema),
  lists: collection('videoExportLists', unfinishedListSchema),
  rejectedMessages: collection('rejectedMessages', rejectedMessageSchema),
  batches: collection('videoExportBatches', batchSchema),
  budgets: collection('exportBudgets', budgetSchema),
  budgetStatus: collection('exportBudgetStatus', budgetStatusSchema),
  settings: collection('videoExportSettings', serviceSettingsSchema),
} as const;

/** Parses a document. Returns an unparsable one as unreadable rather than throw: one bad document must not stop a page. */
export function parseDocument<T>(
  { path, schema }: Collection<T>,
  id: string,
  version: string,
  fields: Fields,
): Found<T> {
  const parsed = schema.safeParse(fields);
  if (parsed.success) {
    return { id, value: parsed.data, version };
  }
  const detail = parsed.error.issues
    .map((issue) => `${issue.path.join('.') || 'document'}: ${issue.message}`)
    .join('; ');
  return {
    id,
    unreadable: new UnreadableError(`${path}/${id}`, detail, { cause: parsed.error }),
    fields,
    version,
  };
}

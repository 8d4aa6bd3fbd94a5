import { z } from 'zod';

import { manifestSchema } from '../../shared/batch/manifest-schema.ts';
import { cancellationSchema } from '../../shared/cancellation/cancellation-schema.ts';
import { jobMessageSchema } from '../../shared/message/job-schema.ts';
import { expressionSchema } from './expression-schema.ts';

/** A JSON schema (draft 2020-12) of a message that people write. `npm run schemas` writes all of them to `docs/schemas/`. */
export interface PublishedSchema {
  /** The name of the file. */
  readonly file: string;
  readonly title: string;
  readonly schema: z.ZodType;
}

export const publishedSchemas: readonly PublishedSchema[] = [
  {
    file: 'job-message.schema.json',
    title: 'Job message: one video to export',
    schema: jobMessageSchema(expressionSchema),
  },
  {
    file: 'batch-manifest.schema.json',
    title: 'Batch manifest: many videos from one template',
    schema: manifestSchema,
  },
  {
    file: 'cancellation.schema.json',
    title: 'Cancellation: a job or a batch that is no longer wanted',
    schema: cancellationSchema,
  },
];

/** The content of the file. */
export function renderSchema({ title, schema }: PublishedSchema): string {
  const json = z.toJSONSchema(schema, { io: 'input', target: 'draft-2020-12' });
  return `${JSON.stringify({ $schema: json.$schema, title, ...json }, undefined, 2)}\n`;
}

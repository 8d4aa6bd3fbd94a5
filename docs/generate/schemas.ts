import { z } from 'zod';

import { manifestSchema } from '../../shared/batch/manifest-schema.ts';
import { cancellationSchema } from '../../shared/cancellation/cancellation-schema.ts';
import { jobMessageSchema } from '../../shared/message/job-schema.ts';
import { expressionSchema } from './expression-schema.ts';

/** A JSON schema (draft 2020-12) of what people write, kept beside this file: `npm run schemas` writes them all. */
export interface PublishedSchema {
  /** The file's name in `docs/schemas/`. */
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
    title: 'Cancellation: a job or a batch that is not wanted any more',
    schema: cancellationSchema,
  },
];

/** The file's content. */
export function renderSchema({ title, schema }: PublishedSchema): string {
  const json = z.toJSONSchema(schema, { io: 'input', target: 'draft-2020-12' });
  return `${JSON.stringify({ $schema: json.$schema, title, ...json }, undefined, 2)}\n`;
}

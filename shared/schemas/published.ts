import { z } from 'zod';

import { jobMessageSchema } from '../message/job-schema.ts';
import { expressionSchema } from './expression-schema.ts';

/** A JSON schema (draft 2020-12) of what people write, kept beside this file: `npm run schemas` writes them all. */
export interface PublishedSchema {
  /** The file's name in `shared/schemas/`. */
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
];

/** The file's content. */
export function renderSchema({ title, schema }: PublishedSchema): string {
  const json = z.toJSONSchema(schema, { io: 'input', target: 'draft-2020-12' });
  return `${JSON.stringify({ $schema: json.$schema, title, ...json }, undefined, 2)}\n`;
}

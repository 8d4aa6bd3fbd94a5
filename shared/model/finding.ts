import { z } from 'zod';

/** What the check of a graph finds: `ERROR` if the video cannot succeed, `WARNING` if it may not be what was meant. */
export const findingSchema = z.object({
  severity: z.enum(['WARNING', 'ERROR']),
  /** One of the codes that docs/checks.md lists. */
  code: z.string(),
  path: z.string(),
  message: z.string(),
  suggestion: z.string(),
});
export type Finding = z.infer<typeof findingSchema>;

import { z } from 'zod';

/**
 * `videoExportSettings/service`: the settings of the service that its clients need, so that the command line checks jobs by
 * the same rules and publishes to the same topics without having to be told.
 *
 * Written by pollExports, once per instance and only if something changed. Never deleted.
 */
export const serviceSettingsSchema = z.object({
  earthEngineProject: z.string().describe('The Earth Engine project of jobs that name none'),
  allowedProjects: z.array(z.string()).describe('`ALLOWED_PROJECTS`'),
  allowedDestinations: z.array(z.string()).describe('`ALLOWED_DESTINATIONS`'),
  topics: z
    .object({
      jobs: z.string(),
      batches: z.string(),
      cancellations: z.string(),
      events: z.string(),
      deadLetters: z.string(),
    })
    .describe('The names of the topics'),
  retentionDays: z.int().describe('`RETENTION_DAYS`'),
  maxActiveOperations: z.int().describe('`MAX_ACTIVE_OPERATIONS`'),
  submitDeadlineMs: z.number().describe('`SUBMIT_DEADLINE_HOURS`, in milliseconds'),
  videoCheck: z
    .enum(['reject', 'warn', 'off'])
    .optional()
    .describe('`VIDEO_CHECK`; absent in what earlier versions stored'),
  updatedAt: z.date().describe('When a setting last changed'),
});
export type ServiceSettings = z.infer<typeof serviceSettingsSchema>;

/** The only document of its collection. */
export const SETTINGS_ID = 'service';

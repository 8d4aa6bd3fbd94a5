import { z } from 'zod';

import { recordIdPattern } from '../model/ids.ts';
import { attempt, batchId, jobKey, project } from '../message/job-schema.ts';
import { allowedHere } from '../message/zod-issues.ts';

const recordIdRule = 'a record id: ve1- and 32 characters of a-z, 2-7, with -2, -3 … for a later attempt';
const oneRule = 'exactly one of recordId, jobKey, batchId';

/** What is published to the cancellation topic: one job, all attempts at one, or a batch. */
export const cancellationSchema = z
  .strictObject(
    {
      recordId: z
        .string(recordIdRule)
        .regex(recordIdPattern, recordIdRule)
        .optional()
        .describe('The id of a record'),
      project: project
        .optional()
        .describe("With jobKey: the Earth Engine project of the job (default: the service's)"),
      jobKey: jobKey.optional().describe('The key of a job, whose message need not have arrived yet'),
      attempt: attempt
        .optional()
        .describe('With jobKey: only this attempt (default: all that have not ended, or the first)'),
      batchId: batchId
        .optional()
        .describe('The batchId of the jobs; for the jobs of a manifest, {batchId}@{run}'),
    },
    {
      error: (issue) =>
        issue.code === 'unrecognized_keys'
          ? allowedHere(['recordId', 'project', 'jobKey', 'attempt', 'batchId'])
          : `a cancellation, an object with ${oneRule}`,
    },
  )
  .refine(
    ({ recordId, jobKey, batchId }) =>
      [recordId, jobKey, batchId].filter((name) => name !== undefined).length === 1,
    oneRule,
  )
  .refine(
    ({ project, attempt, jobKey }) =>
      jobKey !== undefined || (project === undefined && attempt === undefined),
    {
      error: 'project and attempt only together with jobKey',
    },
  );
export type Cancellation = z.infer<typeof cancellationSchema>;

import { z } from 'zod';

import { dateRule, runIntervals } from './run-date.ts';
import { allowedHere } from '../message/zod-issues.ts';

const MAX_AXES = 20;
const MAX_DATES = 20;

const batchIdRule = '1 to 64 of A-Z, a-z, 0-9, ".", "_", "-", not ".", ".." or __x__';
const runRule = '1 to 32 of A-Z, a-z, 0-9, "-"';
const runEveryRule = `one of ${runIntervals.join(', ')}`;
const nameRule =
  'a name of at most 64 characters: a letter, then letters, digits, "_", "-"; not batchId or run';
const axisRule = 'an array with at least one value';
const axesRule = `an object of at most ${MAX_AXES} axes, each an array of values`;
const datesRule = `an object of at most ${MAX_DATES} dates`;
const jobRule = 'a job message as a template: an object with request';

const name = z.string(nameRule).regex(/^(?!(?:batchId|run)$)[A-Za-z][A-Za-z0-9_-]{0,63}$/, nameRule);

/**
 * What is published to the batch topic. The job only has to be an object here: the message that it makes for each
 * combination is checked against the job message's own schema.
 */
export const manifestSchema = z.strictObject(
  {
    batchId: z
      .string(batchIdRule)
      .regex(/^(?!\.{1,2}$)(?!__.*__$)[A-Za-z0-9._-]{1,64}$/, batchIdRule)
      .describe('The name of the batch. Together with the run, it is the batchId of each job'),
    run: z
      .string(runRule)
      .regex(/^[A-Za-z0-9-]{1,32}$/, runRule)
      .optional()
      .describe(
        "The name of this run of the batch (default: the message's publish time in UTC, truncated to runEvery: 2026-11-23, 2026-11-23-14 or 2026-11-23-14-05)",
      ),
    runEvery: z
      .enum(runIntervals, runEveryRule)
      .optional()
      .describe('The unit to which the publish time is truncated if the run has no name (default: day)'),
    matrix: z
      .record(name, z.array(z.unknown(), axisRule).min(1, axisRule), axesRule)
      .refine((axes) => Object.keys(axes).length <= MAX_AXES, axesRule)
      .optional()
      .describe(
        'Axes: there is a job for every combination of their values, with the last axis changing fastest',
      ),
    dates: z
      .record(name, z.string(dateRule), datesRule)
      .refine((dates) => Object.keys(dates).length <= MAX_DATES, datesRule)
      .optional()
      .describe(`Dates to fill in: ${dateRule}`),
    job: z
      .record(z.string(), z.unknown(), jobRule)
      .describe(
        'A job message without batchId. "${name}" is replaced by a value of any type: batchId, run, a date, an axis, or axis.field for a field of its value. Within longer text the value is inserted. $${ is a literal ${',
      ),
  },
  {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? allowedHere(['batchId', 'run', 'runEvery', 'matrix', 'dates', 'job'])
        : 'a batch manifest, an object with batchId and job',
  },
);
export type ManifestJson = z.infer<typeof manifestSchema>;

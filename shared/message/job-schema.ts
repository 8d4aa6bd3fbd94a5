import { z } from 'zod';

import { MAX_ATTEMPT } from '../model/ids.ts';
import { allowedHere } from './zod-issues.ts';

/**
 * The job message as a zod schema, strict wherever Earth Engine or this service defines the fields. Each message names what
 * is allowed; `zod-issues.ts` adds what was found.
 *
 * Fields and rules: https://developers.google.com/earth-engine/reference/rest/v1/projects.video/export. An unwanted field is
 * left out: null is rejected, since only what the sender set is sent.
 */

const INT32_MAX = 2_147_483_647;
const INT64_MAX = '9223372036854775807';
const OBJECT_NAME_BYTES = 1024;

function fields<Shape extends z.ZodRawShape>(shape: Shape) {
  const names = Object.keys(shape);
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys' ? allowedHere(names) : `an object with ${names.join(', ')}`,
  });
}

function textOf(allowed: string) {
  return z.string(allowed).refine((text) => text.isWellFormed(), `${allowed}, without half a surrogate pair`);
}

function pattern(regex: RegExp, allowed: string) {
  return z.string(allowed).regex(regex, allowed);
}

const jobKeyRule = '1 to 200 characters, no control characters';
/** Characters are code points, as people count them. */
export const jobKey = textOf(jobKeyRule)
  .min(1, jobKeyRule)
  .refine((text) => text.length <= 400 && Array.from(text).length <= 200, jobKeyRule)
  .refine((text) => !/\p{Cc}/u.test(text), jobKeyRule)
  .meta({ maxLength: 200 })
  .describe("The caller's own name for this job; without one, its content identifies it");

const attemptRule = `a whole number from 1 to ${MAX_ATTEMPT}`;
export const attempt = z
  .int(attemptRule)
  .min(1, attemptRule)
  .max(MAX_ATTEMPT, attemptRule)
  .describe('Raise it to retry the same job on purpose (default 1)');

const projectRule = 'a Google Cloud project id or number';
export const project = pattern(
  /^(?:[a-z0-9.-]{1,63}:)?[a-z0-9][a-z0-9-]{0,61}[a-z0-9]$/,
  projectRule,
).describe("The Earth Engine project that runs the job (default: the service's)");

/** It is the id of a batch's document: Firestore reserves ".", ".." and names of the form __x__. */
export const batchId = pattern(
  /^(?!\.{1,2}$)(?!__.*__$)[A-Za-z0-9._@-]{1,129}$/,
  '1 to 129 of A-Z, a-z, 0-9, ".", "_", "@", "-", not ".", ".." or __x__',
).describe('Groups jobs');

const labelKeyRule = 'a label name of at most 63 characters: a-z, then a-z, 0-9, "_", "-"';
const labelsRule = 'an object of at most 16 labels';
const labels = z
  .record(
    pattern(/^[a-z][a-z0-9_-]{0,62}$/, labelKeyRule),
    textOf('text of at most 63 characters').max(63, 'text of at most 63 characters'),
    labelsRule,
  )
  .refine((all) => Object.keys(all).length <= 16, labelsRule)
  .meta({ maxProperties: 16 })
  .describe('Copied to the record, so that you can query by them');

const maxEecuHoursRule = 'a number of EECU-hours above 0';
const maxEecuHours = z
  .number(maxEecuHoursRule)
  .positive(maxEecuHoursRule)
  .describe('The job is canceled when it has cost more than this; `error.status` is then `EECU_LIMIT`');

const deliverToRule = 'gs://bucket/name of an object, such as gs://my-videos/las-vegas.mp4';
const deliverTo = pattern(/^gs:\/\/[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]\/[^\r\n]*[^\r\n/]$/, deliverToRule)
  .refine(
    (uri) => uri.isWellFormed() && Buffer.byteLength(uri.replace(/^gs:\/\/[^/]*\//, '')) <= OBJECT_NAME_BYTES,
    deliverToRule,
  )
  .describe(
    'The verified video is copied to this name, if nothing has it yet; only for Cloud Storage, and where ALLOWED_DESTINATIONS allows it',
  );

const framesPerSecondRule = 'a number from 0.1 to 120';
const maxFramesRule = 'a whole number from 1 to 2147483647';
const maxPixelsRule = 'a positive int64 as a string of digits, a whole number, or { "value": either }';
const priorityRule = 'a whole number from 0 to 9999, or { "value": it }';

/** The Python client wraps what Earth Engine documents as bare. */
function bareOrWrapped<Schema extends z.ZodType>(schema: Schema, allowed: string) {
  const wrapped = fields({ value: schema }).transform(
    (wrapper) => (wrapper as { value: z.output<Schema> }).value,
  );
  return z.union([schema, wrapped], allowed);
}

/** For digits without a leading zero. Called with any text, since zod calls it even if the pattern failed. */
function isInt64(digits: string): boolean {
  return digits.length < INT64_MAX.length || (digits.length === INT64_MAX.length && digits <= INT64_MAX);
}

const positiveInt64 = z.union(
  [
    pattern(/^[1-9]\d{0,18}$/, maxPixelsRule).refine(isInt64, maxPixelsRule),
    z.int(maxPixelsRule).min(1, maxPixelsRule).transform(String),
  ],
  maxPixelsRule,
);
const smallInteger = z.union(
  [
    z.int(priorityRule).min(0, priorityRule).max(9999, priorityRule),
    pattern(/^(?:0|[1-9]\d{0,3})$/, priorityRule).transform(Number),
  ],
  priorityRule,
);

const videoOptions = fields({
  framesPerSecond: z
    .number(framesPerSecondRule)
    .min(0.1, framesPerSecondRule)
    .max(120, framesPerSecondRule)
    .optional()
    .describe("Earth Engine's default is 5"),
  maxFrames: z
    .int(maxFramesRule)
    .min(1, maxFramesRule)
    .max(INT32_MAX, maxFramesRule)
    .optional()
    .describe("Earth Engine's default is 1000"),
  maxPixelsPerFrame: bareOrWrapped(positiveInt64, maxPixelsRule)
    .optional()
    .describe("Earth Engine's default is 1e8"),
});

const prefixRule = `text of at most ${OBJECT_NAME_BYTES} bytes without line breaks`;
const filenamePrefix = textOf(prefixRule)
  .refine((text) => Buffer.byteLength(text) <= OBJECT_NAME_BYTES && !/[\r\n]/.test(text), prefixRule)
  .describe('A trailing "/" makes it a folder');

/** The folder is part of the record's `destination`, which must fit into a document. */
const folderRule = `the name of a folder, at most ${OBJECT_NAME_BYTES} bytes`;

const bucketRule =
  'a bucket name: 3 to 63 of a-z, 0-9, "-", "_" (222 with dots, 63 between them), a letter or digit at both ends, not "goog…", not an IP address, without gs://';
/** https://cloud.google.com/storage/docs/buckets#naming */
const bucket = pattern(/^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$/, bucketRule)
  .refine(
    (name) =>
      (name.includes('.') || name.length <= 63) &&
      name.split('.').every((part) => part.length >= 1 && part.length <= 63) &&
      !name.startsWith('goog') &&
      !/^\d+\.\d+\.\d+\.\d+$/.test(name),
    bucketRule,
  )
  .describe('The bucket, without gs://');

const permissionsRule = 'one of DEFAULT_OBJECT_ACL, PUBLIC, TILE_PERMISSIONS_UNSPECIFIED';
const corsRule = 'an array of addresses';

const fileExportOptions = fields({
  fileFormat: z.literal('MP4', '"MP4", the only format in which Earth Engine exports videos'),
  cloudStorageDestination: fields({
    bucket,
    filenamePrefix: filenamePrefix.optional(),
    permissions: z
      .enum(['DEFAULT_OBJECT_ACL', 'PUBLIC', 'TILE_PERMISSIONS_UNSPECIFIED'], permissionsRule)
      .optional()
      .describe(
        "Earth Engine's default is DEFAULT_OBJECT_ACL. PUBLIC makes the video readable for everyone: the service account must be OWNER of the bucket, whose access must not be uniform (`public` in `export_buckets`)",
      ),
    bucketCorsUris: z.array(textOf('an address'), corsRule).optional(),
  }).optional(),
  driveDestination: fields({
    folder: textOf(folderRule)
      .refine((text) => Buffer.byteLength(text) <= OBJECT_NAME_BYTES, folderRule)
      .optional(),
    filenamePrefix: filenamePrefix.optional(),
  })
    .optional()
    .describe(
      'Allowed only if ALLOWED_DESTINATIONS names it. A service account has no Drive storage of its own: share a folder of a shared drive with it, or use a bucket',
    ),
}).describe('Exactly one destination');

const workloadTagRule = '1 to 63 of a-z, 0-9, "-", "_", a letter or digit at both ends';
const workloadTag = pattern(/^(?:[a-z0-9](?:[-_a-z0-9]{0,61}[a-z0-9])?)?$/, workloadTagRule).describe(
  'Groups costs in Cloud Monitoring; empty means none, as in the official clients',
);

function requestSchema<Schema extends z.ZodType>(expression: Schema) {
  return fields({
    expression,
    description: textOf('text')
      .optional()
      .describe('What people see in the task list; the service appends the requestId'),
    videoOptions: videoOptions.optional(),
    fileExportOptions,
    workloadTag: workloadTag.optional(),
    priority: bareOrWrapped(smallInteger, priorityRule)
      .optional()
      .describe("Earth Engine's default is 100; any other value needs a project registered for paid use"),
  });
}

/** The schema around any expression. `readExpression` checks the graph itself: it is faster and follows references. */
export function jobMessageSchema<Schema extends z.ZodType>(expression: Schema) {
  return fields({
    jobKey: jobKey.optional(),
    attempt: attempt.optional(),
    project: project.optional(),
    batchId: batchId.optional(),
    labels: labels.optional(),
    deliverTo: deliverTo.optional(),
    maxEecuHours: maxEecuHours.optional(),
    request: requestSchema(expression).describe(
      "Earth Engine's ExportVideoRequest as an official client builds it, without requestId",
    ),
  });
}

/** Fields by which a rejected message is found, and which identify its job, if they are valid themselves. */
export const recordableFields = { jobKey, batchId, project, attempt };

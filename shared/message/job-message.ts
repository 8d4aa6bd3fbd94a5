import { z } from 'zod';

import { type AllowList, type Config, isAllowed } from '../config.ts';
import { readExpressionInSteps } from '../expression/read-expression.ts';
import { recordIdOf } from '../model/ids.ts';
import { checkGraph, type GraphRules, rejectedBy } from './check-graph.ts';
import { contentHashOf, serializeRequest } from './identity.ts';
import { createIssueList, type IssueList, mismatch, type Path } from '../issues.ts';
import { jobMessageSchema, recordableFields } from './job-schema.ts';
import type { Finding } from '../model/finding.ts';
import type { Expression, Job, VideoRequest } from '../model/job.ts';

import { isJsonObject, type JsonNode, pathOf, unusableName } from '../json.ts';
import type { Issue } from '../model/rejected-message.ts';
import { runAtOnce, type Steps } from '../steps.ts';
import { requestedVideoInSteps } from './requested-video.ts';
import { isTooWide } from './width.ts';
import { addZodIssues, valueAt } from './zod-issues.ts';

/** Earth Engine refuses a larger request with 400 "Request payload size exceeds the limit: 10485760 bytes." */
export const REQUEST_BYTES = 10_485_760;

export interface JobRules extends GraphRules {
  /** For jobs that name no project. */
  readonly defaultProject: string;
  readonly allowedProjects: AllowList;
  /** Patterns of `destination`. */
  readonly allowedDestinations: AllowList;
}

/** The rules that this deployment's settings make. */
export const jobRules = (config: Config): JobRules => ({
  defaultProject: config.earthEngineProject,
  allowedProjects: config.allowedProjects,
  allowedDestinations: config.allowedDestinations,
  graphCheck: config.videoCheck,
});

/** The same for a message whose graph was checked before. */
export const withoutCheck = (rules: JobRules): JobRules => ({ ...rules, graphCheck: 'off' });

/** Everything that is wrong with a message, and the fields by which its sender can look that up. */
export interface InvalidJob {
  readonly issues: Issue[];
  readonly jobKey: string | undefined;
  readonly batchId: string | undefined;
  /** The record that it would have become, if the fields that determine it are valid. Copies of a message share it. */
  readonly recordId: string | undefined;
}

/** A job with the bytes to send (`serializeRequest`), which are made in any case to check their size. */
export interface ReadJob {
  readonly job: Job;
  readonly bytes: Uint8Array;
  /** What the check of the graph found. */
  readonly findings: readonly Finding[];
}

export type JobReading = ReadJob | InvalidJob;

/** The fields of a job that are known without hashing its graph. */
export type JobFields = Omit<Job, 'recordId' | 'contentHash' | 'shapeHash' | 'extent' | 'requestedVideo'>;

const schema = jobMessageSchema(z.unknown().optional());
type Message = z.output<typeof schema>;

/** Reads a decoded job message: returns the job, or every issue of the message. */
export const parseJobMessage = (json: unknown, rules: JobRules): JobReading =>
  runAtOnce(parseJobMessageInSteps(json, rules));

export function* parseJobMessageInSteps(json: unknown, rules: JobRules): Steps<JobReading> {
  const identified = yield* identifyJobInSteps(json, rules);
  if ('issues' in identified) {
    return identified;
  }
  const { job } = identified;
  yield;
  const bytes = serializeRequest(job.request, job.recordId);
  if (bytes.length > REQUEST_BYTES) {
    const issues = createIssueList();
    issues.add(
      ['request'],
      `found ${bytes.length} bytes as it would be sent; allowed: at most ${REQUEST_BYTES}`,
    );
    return invalid(json, rules, issues.list());
  }
  const { findings, extent } = yield* checkGraph(job.request, rules);
  const errors = rejectedBy(findings, rules);
  return errors.length > 0 ? invalid(json, rules, errors) : { job: { ...job, extent }, bytes, findings };
}

/** The same without what only a job to be sent needs: its bytes, whose size is limited, and the check of its graph. */
export const identifyJob = (json: unknown, rules: JobRules): { readonly job: Job } | InvalidJob =>
  runAtOnce(identifyJobInSteps(json, rules));

export function* identifyJobInSteps(
  json: unknown,
  rules: JobRules,
): Steps<{ readonly job: Job } | InvalidJob> {
  const issues = createIssueList();
  const fields = readFields(json, rules, issues);
  const expression = expressionIn(json);
  const reading = expression === undefined ? undefined : yield* readExpressionInSteps(expression);
  const graphIssues = reading && 'issues' in reading ? reading.issues : [];
  if (!fields || !reading || 'issues' in reading) {
    return invalid(json, rules, [...issues.list(), ...graphIssues]);
  }
  const { graphHash, shapeHash } = reading;
  const contentHash = contentHashOf(fields.request, graphHash);
  const recordId = recordIdOf({ ...fields, contentHash });
  const requestedVideo = yield* requestedVideoInSteps(fields.request);
  return { job: { ...fields, recordId, contentHash, shapeHash, requestedVideo } };
}

/**
 * The same without the graph, which is neither checked nor hashed. For the jobs of one template, whose graph was checked
 * once and whose size is known to be far from the limit.
 */
export function parseJobFields(json: unknown, rules: JobRules): { readonly fields: JobFields } | InvalidJob {
  const issues = createIssueList();
  const fields = readFields(json, rules, issues);
  return fields ? { fields } : invalid(json, rules, issues.list());
}

function readFields(json: unknown, rules: JobRules, issues: IssueList): JobFields | undefined {
  if (!isJsonObject(json)) {
    issues.add(['data'], mismatch(json, 'a job message, an object with request'));
    return undefined;
  }
  // If a value has too many members, the schema is not applied: checking each member would take seconds.
  if (rejectStrays(json, issues)) {
    return undefined;
  }
  const parsed = schema.safeParse(json);
  if (!parsed.success) {
    addZodIssues(parsed.error, json, issues, misplacedField);
  }
  // Read from the message itself, so that these are reported even if the schema has other issues.
  const project = Object.hasOwn(json, 'project') ? json['project'] : rules.defaultProject;
  if (typeof project === 'string' && !isAllowed(rules.allowedProjects, project)) {
    issues.add(['project'], mismatch(project, 'a project in ALLOWED_PROJECTS'));
  }
  checkDestination(json, rules, issues);
  checkDeliverTo(json, rules, issues);
  if (expressionIn(json) === undefined && isJsonObject(json['request'])) {
    issues.add(['request', 'expression'], mismatch(undefined, 'an expression graph'));
  }
  if (!parsed.success || issues.count > 0) {
    return undefined;
  }

  const message = parsed.data;
  const request = bareRequest(message.request);
  return {
    jobKey: message.jobKey,
    attempt: message.attempt ?? 1,
    project: message.project ?? rules.defaultProject,
    batchId: message.batchId,
    labels: message.labels ?? {},
    destination: destinationOf(request.fileExportOptions),
    deliverTo: message.deliverTo,
    maxEecuHours: message.maxEecuHours,
    request,
  } satisfies Record<keyof Message, unknown> & JobFields;
}

/** The request with its fields in one order, whatever the client's, and without those that mean "unset". */
function bareRequest(parsed: Message['request']): VideoRequest {
  const { expression, description, videoOptions, fileExportOptions, workloadTag, priority } = parsed;
  return defined({
    expression: expression as Expression,
    description,
    videoOptions: videoOptions && defined(videoOptions),
    fileExportOptions,
    workloadTag: workloadTag === '' ? undefined : workloadTag,
    priority,
  } satisfies Record<keyof VideoRequest, unknown>) as VideoRequest;
}

function defined<Fields extends object>(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Fields;
}

function destinationOf(options: VideoRequest['fileExportOptions']): string {
  const { cloudStorageDestination: storage, driveDestination: drive } = options;
  if (storage) {
    return `gs://${storage.bucket}/${storage.filenamePrefix ?? ''}`;
  }
  return `drive:${drive?.folder ?? ''}/${drive?.filenamePrefix ?? ''}`;
}

const destinations = ['cloudStorageDestination', 'driveDestination'] as const;

function checkDestination(json: Readonly<Record<string, unknown>>, rules: JobRules, issues: IssueList) {
  const request = json['request'];
  const options = isJsonObject(request) ? request['fileExportOptions'] : undefined;
  if (!isJsonObject(options)) {
    return;
  }
  const path = ['request', 'fileExportOptions'];
  const given = destinations.filter((name) => Object.hasOwn(options, name));
  if (given.length !== 1) {
    const found = given.length === 0 ? 'no destination' : given.join(' and ');
    issues.add(path, `found ${found}; allowed: exactly one of ${destinations.join(', ')}`);
  }
  for (const name of given) {
    const fields = options[name];
    if (!isJsonObject(fields)) {
      continue;
    }
    const place = name === 'driveDestination' ? fields['folder'] : fields['bucket'];
    const prefix = fields['filenamePrefix'] ?? '';
    if (typeof prefix !== 'string' || (place !== undefined && typeof place !== 'string')) {
      continue;
    }
    if (name === 'cloudStorageDestination' && place === undefined) {
      continue;
    }
    const destination =
      name === 'driveDestination' ? `drive:${place ?? ''}/${prefix}` : `gs://${place}/${prefix}`;
    if (!isAllowed(rules.allowedDestinations, destination)) {
      const why = name === 'driveDestination' ? ' (a service account has no Drive storage of its own)' : '';
      issues.add([...path, name], mismatch(destination, `a destination in ALLOWED_DESTINATIONS${why}`));
    }
  }
}

/** Only a video in Cloud Storage can be copied, and only to where the job could write. */
function checkDeliverTo(json: Readonly<Record<string, unknown>>, rules: JobRules, issues: IssueList) {
  const { deliverTo } = json;
  if (typeof deliverTo !== 'string') {
    return;
  }
  if (deliverTo.startsWith('gs://') && !isAllowed(rules.allowedDestinations, deliverTo)) {
    issues.add(['deliverTo'], mismatch(deliverTo, 'an object in ALLOWED_DESTINATIONS'));
  }
  const request = json['request'];
  const options = isJsonObject(request) ? request['fileExportOptions'] : undefined;
  if (isJsonObject(options) && Object.hasOwn(options, 'driveDestination')) {
    issues.add(
      ['deliverTo'],
      'must be left out with driveDestination: the service copies within Cloud Storage',
    );
  }
}

function expressionIn(json: unknown): unknown {
  const request = isJsonObject(json) && Object.hasOwn(json, 'request') ? json['request'] : undefined;
  return isJsonObject(request) && Object.hasOwn(request, 'expression') ? request['expression'] : undefined;
}

/** Bounds the work: the deeper a name is, the longer it takes to compute its path. */
const MAX_UNUSABLE_NAMES = 20;

/**
 * Rejects what zod does not check, or checks too slowly: an own `__proto__` of a record, and objects and arrays with too
 * many members. The expression's reader checks both itself.
 *
 * @returns whether the schema must not be applied
 */
function rejectStrays(json: object, issues: IssueList): boolean {
  const expression = expressionIn(json);
  let foundTooWide = false;
  const open: (JsonNode & { readonly value: object })[] = [{ value: json, key: '', parent: undefined }];
  for (let node = open.pop(); node; node = open.pop()) {
    const { value } = node;
    if (issues.count >= MAX_UNUSABLE_NAMES) {
      return true;
    }
    if (!Array.isArray(value) && Object.hasOwn(value, '__proto__')) {
      issues.add([...pathOf(node), '__proto__'], unusableName);
    }
    if (isTooWide(value, () => pathOf(node), issues)) {
      foundTooWide = true;
      continue;
    }
    for (const [key, member] of Array.isArray(value) ? value.entries() : Object.entries(value)) {
      if (typeof member === 'object' && member !== null && member !== expression) {
        open.push({ value: member as object, key, parent: node });
      }
    }
  }
  return foundTooWide;
}

function misplacedField(path: Path): string | undefined {
  switch (path.join('.')) {
    case 'request.requestId':
      return 'must be left out: the service derives it, so that a job runs once; set jobKey to identify the job, and a higher attempt to retry it';
    case 'request.maxWorkers':
      return 'must be left out: Earth Engine refuses it except from its own staff';
    default: {
      const place = placeOf(String(path.at(-1)));
      return place && `is not a field here; it belongs in ${place}`;
    }
  }
}

/** Where each field of a message belongs, for those that a sender may put elsewhere. Ambiguous names are left out. */
const places: readonly string[] = [
  'jobKey',
  'attempt',
  'project',
  'batchId',
  'labels',
  'request.expression',
  'request.description',
  'request.priority',
  'request.workloadTag',
  'request.videoOptions',
  'request.fileExportOptions',
  'request.videoOptions.framesPerSecond',
  'request.videoOptions.maxFrames',
  'request.videoOptions.maxPixelsPerFrame',
  'request.fileExportOptions.fileFormat',
  'request.fileExportOptions.cloudStorageDestination',
  'request.fileExportOptions.driveDestination',
  'request.fileExportOptions.cloudStorageDestination.bucket',
  'request.fileExportOptions.driveDestination.folder',
];

const placeOf = (name: string): string | undefined =>
  places.find((place) => place === name || place.endsWith(`.${name}`));

function invalid(json: unknown, rules: JobRules, issues: Issue[]): InvalidJob {
  const valid = <Name extends keyof typeof recordableFields>(name: Name, otherwise?: unknown) => {
    const found = valueAt(json, [name]);
    const parsed = recordableFields[name].safeParse(found === undefined ? otherwise : found);
    return parsed.data as z.output<(typeof recordableFields)[Name]> | undefined;
  };
  const [jobKey, batchId] = [valid('jobKey'), valid('batchId')];
  const [project, attempt] = [valid('project', rules.defaultProject), valid('attempt', 1)];
  const isNamed = jobKey !== undefined && project !== undefined && attempt !== undefined;
  return {
    issues,
    jobKey,
    batchId,
    recordId: isNamed ? recordIdOf({ project, jobKey, attempt }) : undefined,
  };
}

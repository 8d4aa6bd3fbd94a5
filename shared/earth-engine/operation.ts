import { operationStates, type Operation, type OperationPage, type OperationState } from './api.ts';
import { isJsonObject, type JsonObject } from '../json.ts';
import { truncate } from '../text.ts';

/*
 * Reads Earth Engine's Operation from JSON field by field. Not a zod schema: a sweep reads pages of 500, most of whose
 * operations have not changed, and any field except the name can be missing or odd in a usable operation.
 * Source: https://developers.google.com/earth-engine/reference/rest/v1/projects.operations
 */

/** Neither part may be a dot segment: a URL parser would resolve it, and the request would name something else. */
const operationName = /^projects\/(?!\.{1,2}\/)[^/]+\/operations\/(?!\.{1,2}$)[^/]+$/;
const MAX_NAME_CHARACTERS = 500;
const states: ReadonlySet<string> = new Set(operationStates);
/** Earth Engine has sent the epoch for tasks that have not started. */
const EARLIEST_TIME_MS = Date.UTC(1971);
/** Firestore stores no time after the year 9999. */
const LATEST_TIME_MS = Date.UTC(10_000, 0) - 1;
/*
 * Limits of an operation's texts, which are stored in a Firestore document of at most 1 MiB: a record that does not fit
 * could never be written again, so its job would never end.
 */
const MAX_MESSAGE_CHARACTERS = 4096;
const MAX_STAGE_CHARACTERS = 500;
const MAX_URIS = 100;
const MAX_URI_CHARACTERS = 1024;
/** 30,000 EECUs for a year: no task comes near it. */
const MAX_EECU_SECONDS = 1e12;

export function isOperationName(name: unknown): name is string {
  // Neither a URL nor a document can hold half a surrogate pair.
  return (
    typeof name === 'string' &&
    name.length <= MAX_NAME_CHARACTERS &&
    name.isWellFormed() &&
    operationName.test(name)
  );
}

/**
 * Whether two names are of the same operation. Earth Engine names the project by id or by number, and operation ids are
 * unique across projects.
 */
export function sameOperation(one: string, other: string): boolean {
  return operationIdOf(one) === operationIdOf(other);
}

/** The last part of an operation's name. */
export function operationIdOf(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1);
}

/** Whether an operation certainly belongs to another project: a project number can be any project's. */
export function isOfAnotherProject(name: string, project: string): boolean {
  const named = projectOf(name);
  return named !== project && !isNumber(named) && !isNumber(project);
}

export function projectOf(name: string): string {
  return name.slice('projects/'.length, name.indexOf('/operations/'));
}

const isNumber = (project: string): boolean => /^\d+$/.test(project);

/** The operation, or undefined if it has no usable name: it could be neither recorded nor requested. */
export function parseOperation(json: unknown): Operation | undefined {
  if (!isJsonObject(json) || !isOperationName(json['name'])) {
    return undefined;
  }
  const metadata = isJsonObject(json['metadata']) ? json['metadata'] : {};
  const error = json['error'];
  return {
    name: json['name'],
    done: json['done'] === true,
    state: parseState(metadata['state']),
    type: text(metadata['type']),
    description: text(metadata['description']),
    progress: clamp(number(metadata['progress'])),
    ...parseStages(metadata['stages']),
    runAttempt: integer(metadata['attempt']),
    destinationUris: parseUris(metadata['destinationUris']),
    eecuSeconds: cost(metadata['batchEecuUsageSeconds']),
    createTime: time(metadata['createTime']),
    startTime: time(metadata['startTime']),
    endTime: time(metadata['endTime']),
    error: isJsonObject(error) ? parseError(error) : undefined,
    hasResponse: isJsonObject(json['response']),
  };
}

/**
 * A page of operations, without those that have no usable name. Undefined if the page may be incomplete: a caller
 * concludes from a complete list that an operation does not exist.
 */
export function parseOperationPage(json: unknown): OperationPage | undefined {
  if (!isJsonObject(json)) {
    return undefined;
  }
  const { operations = [], nextPageToken = '', unreachable = [] } = json;
  if (!Array.isArray(operations) || typeof nextPageToken !== 'string') {
    return undefined;
  }
  if (!Array.isArray(unreachable) || unreachable.length > 0) {
    return undefined;
  }
  return {
    operations: operations.map(parseOperation).filter((operation) => operation !== undefined),
    nextPageToken: nextPageToken === '' ? undefined : nextPageToken,
  };
}

function parseState(value: unknown): OperationState | undefined {
  if (typeof value !== 'string') {
    return undefined;
  }
  return states.has(value) ? (value as OperationState) : 'UNKNOWN';
}

/** A stage can lack work units or a name; proto3 JSON omits zeros. */
function parseStages(value: unknown): Pick<Operation, 'stage' | 'units'> {
  let stage: string | undefined;
  let units: number | undefined;
  for (const item of Array.isArray(value) ? value : []) {
    if (!isJsonObject(item)) {
      continue;
    }
    const complete = number(item['completeWorkUnits']);
    const total = number(item['totalWorkUnits']);
    if (complete === undefined && total === undefined) {
      continue;
    }
    units = (units ?? 0) + (complete ?? 0);
    if ((complete ?? 0) < (total ?? 0)) {
      stage ??= text(item['displayName']) ?? text(item['description']);
    }
  }
  return { stage: stage && truncate(stage, MAX_STAGE_CHARACTERS), units: number(units) };
}

function parseError(error: JsonObject): Operation['error'] {
  return {
    // 2 is google.rpc.Code UNKNOWN.
    code: integer(error['code']) ?? 2,
    message: truncate(text(error['message']) ?? '', MAX_MESSAGE_CHARACTERS),
  };
}

function time(value: unknown): Date | undefined {
  if (typeof value !== 'string') {
    return undefined;
  }
  const date = new Date(value);
  return date.getTime() >= EARLIEST_TIME_MS && date.getTime() <= LATEST_TIME_MS ? date : undefined;
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function parseUris(value: unknown): readonly string[] {
  const uris = Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
  return uris.slice(0, MAX_URIS).map((uri) => truncate(uri, MAX_URI_CHARACTERS));
}

function number(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

/** Budgets sum costs: none may be negative, and the sum of any number of them must be finite. */
function cost(value: unknown): number | undefined {
  const seconds = number(value);
  return seconds !== undefined && seconds >= 0 && seconds <= MAX_EECU_SECONDS ? seconds : undefined;
}

function integer(value: unknown): number | undefined {
  return Number.isSafeInteger(value) ? (value as number) : undefined;
}

function clamp(progress: number | undefined): number | undefined {
  return progress === undefined ? undefined : Math.min(1, Math.max(0, progress));
}

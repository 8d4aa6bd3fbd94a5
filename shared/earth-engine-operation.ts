import {
  operationStates,
  type Operation,
  type OperationPage,
  type OperationState,
} from './earth-engine-api.ts';

/*
 * EE's Operation as JSON, read field by field. Not a zod schema: a sweep reads pages of 500, most of whose operations
 * have not changed, and here every field but the name may be missing or odd without the operation being wrong.
 * Source: https://developers.google.com/earth-engine/reference/rest/v1/projects.operations
 */

/** Neither part may be a dot segment: a URL parser would resolve it and ask EE for something else. */
const operationName = /^projects\/(?!\.{1,2}\/)[^/]+\/operations\/(?!\.{1,2}$)[^/]+$/;
const states: ReadonlySet<string> = new Set(operationStates);
/** EE has sent the epoch for tasks that have not started. */
const EARLIEST_TIME_MS = Date.UTC(1971);
/** What is kept of an operation's error message: it ends in a Firestore document. */
const MAX_MESSAGE_CHARACTERS = 4096;

type Json = Readonly<Record<string, unknown>>;

export function isOperationName(name: unknown): name is string {
  return typeof name === 'string' && operationName.test(name);
}

/** The operation, or undefined where it has no usable name: nothing could be recorded of it, nor asked about it. */
export function parseOperation(json: unknown): Operation | undefined {
  if (!isObject(json) || !isOperationName(json['name'])) return undefined;
  const metadata = isObject(json['metadata']) ? json['metadata'] : {};
  const error = json['error'];
  return {
    name: json['name'],
    done: json['done'] === true,
    state: parseState(metadata['state']),
    type: text(metadata['type']),
    description: text(metadata['description']),
    progress: clamp(number(metadata['progress'])),
    ...parseStages(metadata['stages']),
    runAttempt: number(metadata['attempt']),
    destinationUris: texts(metadata['destinationUris']),
    eecuSeconds: number(metadata['batchEecuUsageSeconds']),
    startTime: time(metadata['startTime']),
    endTime: time(metadata['endTime']),
    error: isObject(error) ? parseError(error) : undefined,
    hasResponse: isObject(json['response']),
  };
}

/**
 * A page of operations, without those that have no usable name. Undefined where the page itself cannot be trusted to be
 * complete: a caller concludes from a complete listing that an operation does not exist.
 */
export function parseOperationPage(json: unknown): OperationPage | undefined {
  if (!isObject(json)) return undefined;
  const { operations = [], nextPageToken = '', unreachable = [] } = json;
  if (!Array.isArray(operations) || typeof nextPageToken !== 'string') return undefined;
  if (!Array.isArray(unreachable) || unreachable.length > 0) return undefined;
  return {
    operations: operations.map(parseOperation).filter((operation) => operation !== undefined),
    nextPageToken: nextPageToken === '' ? undefined : nextPageToken,
  };
}

function parseState(value: unknown): OperationState | undefined {
  if (typeof value !== 'string') return undefined;
  return states.has(value) ? (value as OperationState) : 'UNKNOWN';
}

/** Stages may lack work units, or a name; proto3 JSON leaves a zero out. */
function parseStages(value: unknown): Pick<Operation, 'stage' | 'units'> {
  let stage: string | undefined;
  let units: number | undefined;
  for (const item of Array.isArray(value) ? value : []) {
    if (!isObject(item)) continue;
    const complete = number(item['completeWorkUnits']);
    const total = number(item['totalWorkUnits']);
    if (complete === undefined && total === undefined) continue;
    units = (units ?? 0) + (complete ?? 0);
    if ((complete ?? 0) < (total ?? 0)) stage ??= text(item['displayName']) ?? text(item['description']);
  }
  return { stage, units };
}

function parseError(error: Json): Operation['error'] {
  return {
    // 2 is google.rpc.Code UNKNOWN.
    code: number(error['code']) ?? 2,
    message: (text(error['message']) ?? '').slice(0, MAX_MESSAGE_CHARACTERS),
  };
}

function time(value: unknown): Date | undefined {
  if (typeof value !== 'string') return undefined;
  const date = new Date(value);
  return date.getTime() >= EARLIEST_TIME_MS ? date : undefined;
}

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

function number(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

function clamp(progress: number | undefined): number | undefined {
  return progress === undefined ? undefined : Math.min(1, Math.max(0, progress));
}

import { nextAttemptId } from '../../shared/model/ids.ts';
import { type ExportRecord, isTerminal } from '../../shared/model/record.ts';
import { missingPermission } from '../../shared/record/missing-permission.ts';
import { isReadable, type Found } from '../../shared/store/store.ts';
import { abbreviate } from '../../shared/text.ts';
import type { MissingPermissionView, RetryKind, Row } from './view.ts';

/** Longest texts in a list, in characters: a row must not be larger than a page. */
const NAME = 240;
const DETAIL = 200;
/** As much of a path as a column has room for. */
const PATH = 40;

export const iso = (date: Date): string => date.toISOString();

/** `{ name: value }`, or nothing if there is no value: optional fields of a view are absent, never undefined. */
export function optional<const K extends string, V>(
  name: K,
  value: V | undefined,
): { readonly [key in K]?: V } {
  return value === undefined ? {} : ({ [name]: value } as { readonly [key in K]: V });
}

export function rowOf(found: Found<ExportRecord>): Row {
  return isReadable(found)
    ? rowOfRecord(found.id, found.value)
    : {
        id: found.id,
        name: abbreviate(found.id, NAME),
        attempt: 1,
        state: 'UNREADABLE',
        detail: abbreviate(found.unreadable.message, DETAIL),
        project: '',
        batches: [],
        labels: {},
        createdAt: timeIn(found.fields['createdAt']),
        updatedAt: timeIn(found.fields['updatedAt']),
      };
}

const timeIn = (value: unknown): string => iso(value instanceof Date ? value : new Date(0));

function rowOfRecord(id: string, record: ExportRecord): Row {
  const time = (name: 'startedAt' | 'finishedAt' | 'stalledSince' | 'cancelRequestedAt') => {
    const date = (record as Partial<Record<typeof name, Date>>)[name];
    return optional(name, date && iso(date));
  };
  return {
    id,
    name: abbreviate(record.jobKey ?? id, NAME),
    attempt: record.attempt,
    state: record.state,
    ...(record.state === 'WAITING' ? { waitingFor: record.waitingFor } : {}),
    ...(record.state === 'SUCCEEDED' && record.delivery ? { delivery: record.delivery.state } : {}),
    detail: abbreviate(detailOf(record), DETAIL),
    ...optional('progress', 'progress' in record ? record.progress : undefined),
    project: record.project,
    batches: [...optionalList(record.batchId), ...(record.alsoBatches ?? [])].map((batch) =>
      abbreviate(batch, NAME),
    ),
    labels: Object.fromEntries(
      Object.entries(record.labels)
        .slice(0, 16)
        .map(([name, value]) => [abbreviate(name, 63), abbreviate(value, 63)]),
    ),
    createdAt: iso(record.createdAt),
    updatedAt: iso(record.updatedAt),
    ...time('startedAt'),
    ...time('finishedAt'),
    ...time('stalledSince'),
    ...time('cancelRequestedAt'),
    ...optional('retry', retryOf(id, record)),
  };
}

/** As `retryJobs` decides, apart from later attempts. */
function retryOf(id: string, record: ExportRecord): RetryKind | undefined {
  if (!isTerminal(record) || record.state === 'SUCCEEDED' || !record.contentHash) {
    return undefined;
  }
  if (nextAttemptId(id, record.attempt) === undefined) {
    return undefined;
  }
  return record.error.retryable ? 'PLAIN' : 'FORCE';
}

/** What an operator must grant, if a job waits for that. */
export function permissionOf(record: ExportRecord): MissingPermissionView | undefined {
  if (record.state !== 'WAITING' || record.waitingFor !== 'PERMISSION') {
    return undefined;
  }
  const message = record.error?.message ?? '';
  const missing = missingPermission(record, message);
  return { why: abbreviate(missing?.why ?? message, 300), ...optional('fix', missing?.fix) };
}

/** A list has little room, and the end of a path says more than its start. */
function endOf(uri: string): string {
  const path = uri.replace(/[?#].*$/, '').replace(/\/+$/, '');
  const start = path.indexOf('/', Math.max(0, path.length - PATH));
  if (path.length <= PATH) {
    return path;
  }
  return `…${path.slice(start === -1 ? path.lastIndexOf('/') : start)}`;
}

const optionalList = <V>(value: V | undefined): V[] => (value === undefined ? [] : [value]);

/** What explains the state in a few words. */
function detailOf(record: ExportRecord): string {
  switch (record.state) {
    case 'WAITING':
      return record.error?.message ?? '';
    case 'RUNNING':
    case 'CANCELLING':
      return record.stage ?? '';
    case 'SUCCEEDED':
      return record.delivery?.problems[0]?.message ?? endOf(record.outputUris[0] ?? '');
    case 'FAILED':
    case 'CANCELLED':
    case 'REJECTED':
    case 'LOST':
      return record.error.message;
    case 'SUBMITTING':
    case 'PENDING':
      return '';
  }
}

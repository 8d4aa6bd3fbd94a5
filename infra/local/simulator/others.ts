import { DAY_MS, MINUTE_MS } from '../../../shared/clock.ts';

/** Operations of other users in a project: they take capacity of the queue and fill the list. */
export interface OtherOperations {
  /** Old operations, most of which succeeded. */
  readonly ended: number;
  readonly running: number;
  readonly pending: number;
}

export const noOthers: OtherOperations = { ended: 0, running: 0, pending: 0 };

/** The age of the newest of them: they all are older than the service's own operations. */
const NEWEST_AGE_MS = DAY_MS;
const types = ['EXPORT_IMAGE', 'EXPORT_VIDEO', 'EXPORT_FEATURES', 'INGEST_IMAGE'];

export function countOthers({ ended, running, pending }: OtherOperations): number {
  return ended + running + pending;
}

/**
 * The JSON of the operation at `index`, oldest first. It is computed on request, and always the same: 70,000 operations
 * need no memory.
 */
export function otherOperationJson(
  project: string,
  index: number,
  others: OtherOperations,
  epochMs: number,
): string {
  const total = countOthers(others);
  const ended = index < others.ended;
  const state = ended
    ? index % 13 === 0
      ? 'FAILED'
      : 'SUCCEEDED'
    : index < others.ended + others.running
      ? 'RUNNING'
      : 'PENDING';
  const createMs = epochMs - NEWEST_AGE_MS - (total - index) * 1000;
  const createTime = new Date(createMs).toISOString();
  const endTime = ended ? new Date(createMs + 10 * MINUTE_MS).toISOString() : undefined;
  return JSON.stringify({
    name: otherOperationName(project, index),
    metadata: {
      '@type': 'type.googleapis.com/google.earthengine.v1.OperationMetadata',
      state,
      type: types[index % types.length],
      // Some lack a description; others have one that ends almost like a marker.
      description: index % 7 === 0 ? undefined : index % 11 === 0 ? `ndvi_ve1-${index}` : `tile-${index}`,
      createTime,
      updateTime: endTime ?? createTime,
      startTime: state === 'PENDING' ? '1970-01-01T00:00:00Z' : createTime,
      endTime,
      progress: ended ? 1 : undefined,
      attempt: 1,
      stages: ended ? [{ displayName: 'Write Files' }] : undefined,
      batchEecuUsageSeconds: ended ? index % 977 : undefined,
    },
    done: ended || undefined,
    error: state === 'FAILED' ? { code: 3, message: 'User memory limit exceeded.' } : undefined,
    response: state === 'SUCCEEDED' ? {} : undefined,
  });
}

const PREFIX = 'OTHER';

function otherOperationName(project: string, index: number): string {
  return `projects/${project}/operations/${PREFIX}${String(index).padStart(19, '0')}`;
}

/** The index that is part of such an operation id; undefined for any other id. */
export function otherOperationIndex(id: string): number | undefined {
  return /^OTHER\d{19}$/.test(id) ? Number(id.slice(PREFIX.length)) : undefined;
}

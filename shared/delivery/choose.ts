import type { DeliveryProblem } from '../model/delivery.ts';
import { type ExportRecord, isActive, type RecordIn } from '../model/record.ts';
import { type StoredObject, uriOf } from '../storage/api.ts';
import type { Stored } from '../store/store.ts';

/**
 * Which object an operation wrote. Earth Engine does not report it: only the prefix is known, the two forms of name that the
 * field has seen, and when the operation ran.
 */

type Succeeded = RecordIn<'SUCCEEDED'>;

/** `{prefix}.mp4`, or `{prefix}ee-export-video{digits}.mp4` with the digits of a 64-bit number. */
export const isNameOf = (prefix: string, name: string): boolean =>
  name.startsWith(prefix) && /^(?:\.mp4|ee-export-video\d{1,20}\.mp4)$/.test(name.slice(prefix.length));

export type Choice =
  | { readonly object: StoredObject }
  | { readonly ambiguous: DeliveryProblem }
  /** Nothing that this operation can have written. */
  | undefined;

/**
 * @param objects those under the record's prefix
 * @param others records with the same destination
 */
export function chooseObject(
  { id, value: record }: Stored<Succeeded>,
  prefix: string,
  objects: readonly StoredObject[],
  others: readonly Stored<ExportRecord>[],
): Choice {
  const rivals = others.filter((other) => other.id !== id).map(({ value }) => value);
  const startedAt = startOf(record);
  const candidates = objects.filter(
    (object) =>
      isNameOf(prefix, object.name) &&
      startedAt <= object.createdAt &&
      !rivals.some((rival) => isOf(rival, object)),
  );
  const rival = rivals.find((other) => ranTogether(record, other));
  if (rival !== undefined && objects.some(({ name }) => isNameOf(prefix, name))) {
    return {
      ambiguous: {
        code: 'SHARED_PREFIX',
        message: `Another export wrote to ${record.destination} at the same time (${rival.requestId}). Give each job a filenamePrefix of its own.`,
      },
    };
  }
  const [object, second] = candidates;
  if (second !== undefined) {
    return {
      ambiguous: {
        code: 'SEVERAL_FILES',
        message: `${candidates.length} files under ${record.destination} were written since the export started, so it is unknown which of them is its video.`,
      },
    };
  }
  return object && { object };
}

/** Without Earth Engine's own time, when the export was sent: the operation cannot have started before that. */
const startOf = (record: Pick<Succeeded, 'startedAt' | 'submittedAt' | 'createdAt'>): Date =>
  record.startedAt ?? record.submittedAt ?? record.createdAt;

/** Whether the object is another export's: that record says so, or the object was written while only that one ran. */
function isOf(rival: ExportRecord, object: StoredObject): boolean {
  if (rival.state !== 'SUCCEEDED') {
    return false;
  }
  const { delivery } = rival;
  return (
    (delivery?.object === uriOf(object) && delivery.generation === object.generation) ||
    (startOf(rival) <= object.createdAt && object.createdAt <= rival.finishedAt)
  );
}

/** Whether the two ran at the same time, so that each may have written, or replaced, the other's file. */
function ranTogether(record: Succeeded, rival: ExportRecord): boolean {
  if (isActive(rival)) {
    return rival.startedAt !== undefined && rival.startedAt < record.finishedAt;
  }
  return (
    rival.state === 'SUCCEEDED' && startOf(rival) < record.finishedAt && startOf(record) < rival.finishedAt
  );
}

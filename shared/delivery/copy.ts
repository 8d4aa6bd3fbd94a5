import { isAllowed } from '../config.ts';
import type { Delivery, DeliveryProblemCode } from '../model/delivery.ts';
import type { RecordIn } from '../model/record.ts';
import { isGivenUp, recordCopy, recordDelivery, recordDeliveryBeforeCopy } from '../record/delivery.ts';
import type { Services } from '../services.ts';
import {
  type CloudStorage,
  type ObjectName,
  type ObjectVersion,
  parseUri,
  StorageError,
  uriOf,
} from '../storage/api.ts';

/**
 * The copy of a verified video under the name that its job asked for. It is made only if nothing has that name, so nothing
 * is ever replaced, and a copy that was made before a crash is recognized by its content.
 */

type Succeeded = RecordIn<'SUCCEEDED'>;

/** Buckets that do not respond in this run. After a few calls, the others are left to later runs. */
export interface BucketFailures {
  readonly isFailing: (bucket: string) => boolean;
  readonly noteFailure: (bucket: string) => void;
}

/** The next record, once the copy exists, cannot be made, or has to be tried again. */
export type AfterCopy = (record: Succeeded, now: Date) => Succeeded;

export async function copyVideo(
  { config, policy }: Pick<Services, 'config' | 'policy'>,
  storage: CloudStorage,
  { isFailing, noteFailure }: BucketFailures,
  deliverTo: string,
  delivery: Delivery,
): Promise<AfterCopy> {
  const failed =
    (code: DeliveryProblemCode, message: string): AfterCopy =>
    (record, now) =>
      recordDelivery(record, { ...delivery, problems: [{ code, message }] }, now);
  const target = parseUri(deliverTo);
  const source = parseUri(delivery.object ?? '');
  if (target === undefined || source === undefined || delivery.generation === undefined) {
    return failed('COPY_FAILED', `${deliverTo} is not gs://bucket/name.`);
  }
  if (!isAllowed(config.allowedDestinations, deliverTo)) {
    return failed('COPY_DENIED', `ALLOWED_DESTINATIONS does not allow ${deliverTo}.`);
  }
  const later: AfterCopy = (record, now) => recordDeliveryBeforeCopy(record, delivery, policy, now);
  if (isFailing(target.bucket)) {
    return later;
  }
  try {
    if (!(await copyOnce(storage, { ...source, generation: delivery.generation }, target, delivery))) {
      return failed('COPY_NAME_TAKEN', `${deliverTo} exists already, and the service replaces nothing.`);
    }
  } catch (error) {
    if (!(error instanceof StorageError)) {
      throw error;
    }
    switch (error.kind) {
      case 'DENIED':
        return failed(
          'COPY_DENIED',
          `The service may not write ${deliverTo}, or not read what has this name: it needs roles/storage.objectCreator and roles/storage.objectViewer on gs://${target.bucket}.`,
        );
      case 'UNAVAILABLE':
        noteFailure(target.bucket);
        return (record, now) =>
          isGivenUp(record, policy, now)
            ? failed('COPY_FAILED', error.message)(record, now)
            : later(record, now);
      case 'CONFLICT':
      case 'NOT_FOUND':
      case 'REFUSED':
        return failed('COPY_FAILED', error.message);
    }
  }
  return (record, now) => recordCopy(record, delivery, uriOf(target), now);
}

/** @returns whether the copy exists now; false if something else has the name */
async function copyOnce(
  storage: CloudStorage,
  source: ObjectVersion,
  target: ObjectName,
  { bytes, crc32c }: Delivery,
): Promise<boolean> {
  try {
    await storage.copy(source, target);
    return true;
  } catch (error) {
    if (error instanceof StorageError && error.kind === 'CONFLICT') {
      const existing = await storage.get(target);
      return existing !== undefined && existing.bytes === bytes && existing.crc32c === crc32c;
    }
    throw error;
  }
}

import pMap from 'p-map';

import { isAllowed } from '../config.ts';
import { asError, StaleWriteError } from '../errors.ts';
import type { Delivery, DeliveryProblemCode } from '../model/delivery.ts';
import type { ExportRecord, RecordIn } from '../model/record.ts';
import { isGivenUp, isMissing, lookAgain, recordDelivery } from '../record/delivery.ts';
import { updateRecord } from '../records.ts';
import type { Services } from '../services.ts';
import {
  type CloudStorage,
  type ObjectName,
  parseUri,
  StorageError,
  type StoredObject,
} from '../storage/api.ts';
import { pages } from '../store/pages.ts';
import { recordQueries } from '../store/queries.ts';
import { type Found, isReadable, type Stored } from '../store/store.ts';
import { chooseObject } from './choose.ts';
import { type BucketFailures, copyVideo } from './copy.ts';
import { judge } from './judge.ts';
import { createVideoReader } from './video/reader.ts';

/** The part of a poll that looks for the videos of jobs that succeeded, checks them, and copies them. */

const PAGE = 100;
const CONCURRENCY = 8;
/** Objects under one prefix: more are listed by the two forms of name. */
const LIST_LIMIT = 1000;
/** Records with the same destination: attempts, runs of a schedule, and jobs that share a prefix by mistake. */
const OTHERS = 20;
/** After so many calls without a response, the rest of the bucket's videos are left to a later poll. */
const MAX_FAILURES = 3;

type Succeeded = RecordIn<'SUCCEEDED'>;

const reader = createVideoReader();

interface Verification {
  readonly services: Services;
  /** Undefined if deliveries are no longer verified. */
  readonly storage: CloudStorage | undefined;
  readonly failures: BucketFailures;
  readonly denied: Set<string>;
}

/** The next record, decided from what was found. It may be called several times. */
type Decision = (record: Succeeded, now: Date) => Succeeded;

export async function verifyDeliveries(services: Services, isOver: () => boolean): Promise<void> {
  const { store, clock, storage: load, log } = services;
  try {
    let verification: Verification | undefined;
    for await (const page of pages(store.records, recordQueries.dueDeliveries(clock.now()), PAGE)) {
      if (isOver()) {
        return;
      }
      verification ??= {
        services,
        storage: await load?.(),
        failures: createFailures(),
        denied: new Set(),
      };
      const current = verification;
      const one = async (found: Found<ExportRecord>): Promise<void> => {
        if (isReadable(found) && isDelivery(found) && !isOver()) {
          await verifyOne(current, found);
        }
      };
      await pMap(page, one, { concurrency: CONCURRENCY });
    }
  } catch (error) {
    log.error('deliveries.failed', error);
  }
}

function createFailures(): BucketFailures {
  const failures = new Map<string, number>();
  const count = (bucket: string): number => failures.get(bucket) ?? 0;
  return {
    isFailing: (bucket) => count(bucket) >= MAX_FAILURES,
    noteFailure: (bucket) => failures.set(bucket, count(bucket) + 1),
  };
}

const isDelivery = (stored: Stored<ExportRecord>): stored is Stored<Succeeded> =>
  stored.value.state === 'SUCCEEDED';

async function verifyOne(verification: Verification, found: Stored<Succeeded>): Promise<void> {
  const { services } = verification;
  const decision = await decide(verification, found);
  try {
    await updateRecord(services, found, (record) =>
      // Another run may have decided meanwhile.
      record.state === 'SUCCEEDED' && record.dueAt !== undefined && record.dueAt <= services.clock.now()
        ? decision(record, services.clock.now())
        : undefined,
    );
  } catch (error) {
    if (!(error instanceof StaleWriteError)) {
      services.log.error('delivery.not_recorded', error, { recordId: found.id });
    }
  }
}

async function decide(verification: Verification, stored: Stored<Succeeded>): Promise<Decision> {
  const { services, storage, failures, denied } = verification;
  const { config, log, policy } = services;
  const { destination } = stored.value;
  const place = parseUri(destination);
  if (place === undefined || !isAllowed(config.allowedDestinations, destination)) {
    return unchecked('NOT_ALLOWED', `ALLOWED_DESTINATIONS does not allow ${destination}.`);
  }
  if (storage === undefined) {
    return unchecked('SWITCHED_OFF', 'Deliveries are no longer verified here: see VERIFY_DELIVERY.');
  }
  const { bucket } = place;
  if (denied.has(bucket)) {
    return deniedDecision(bucket);
  }
  const later: Decision = (record, now) => lookAgain(record, policy, now);
  if (failures.isFailing(bucket)) {
    return later;
  }
  try {
    return await look({ ...verification, storage }, stored, place);
  } catch (thrown) {
    if (thrown instanceof StorageError && thrown.kind === 'DENIED') {
      denied.add(bucket);
      tellDenied(services, bucket);
      return deniedDecision(bucket);
    }
    if (thrown instanceof StorageError && thrown.kind === 'NOT_FOUND') {
      // The bucket, or the version of the object that was to be read.
      return notThere(services, 'NO_BUCKET', `The bucket gs://${bucket} does not exist.`);
    }
    failures.noteFailure(bucket);
    log.warning('delivery.not_checked', { recordId: stored.id, bucket, error: asError(thrown).message });
    return (record, now) =>
      isGivenUp(record, policy, now)
        ? unchecked('UNAVAILABLE', asError(thrown).message)(record, now)
        : later(record, now);
  }
}

async function look(
  verification: Verification & { readonly storage: CloudStorage },
  stored: Stored<Succeeded>,
  place: ObjectName,
): Promise<Decision> {
  const { services, storage, failures } = verification;
  const { value: record } = stored;
  if (record.deliverTo !== undefined && record.delivery?.state === 'VERIFIED') {
    return copyVideo(services, storage, failures, record.deliverTo, record.delivery);
  }
  const [objects, others] = await Promise.all([
    listUnder(storage, place),
    services.store.records.find(recordQueries.ofDestination(record.destination), { limit: OTHERS }),
  ]);
  if (objects === undefined) {
    return unchecked('LONG_LIST', `${record.destination} has too many objects to find the video.`);
  }
  const choice = chooseObject(stored, place.name, objects, others.filter(isReadable));
  if (choice === undefined) {
    return notThere(
      services,
      'NOT_FOUND',
      `No video under ${record.destination} was written since the export started.`,
    );
  }
  if ('ambiguous' in choice) {
    return (current, now) =>
      recordDelivery(current, { state: 'AMBIGUOUS', problems: [choice.ambiguous] }, now);
  }
  const delivery = await verify(storage, choice.object, record);
  if (delivery === undefined) {
    // It was replaced while it was read. What replaced it is looked at next time.
    return (current, now) => lookAgain(current, services.policy, now);
  }
  return delivery.state === 'VERIFIED' && record.deliverTo !== undefined
    ? copyVideo(services, storage, failures, record.deliverTo, delivery)
    : (current, now) => recordDelivery(current, delivery, now);
}

/** @returns undefined if there are too many */
async function listUnder(
  storage: CloudStorage,
  { bucket, name: prefix }: ObjectName,
): Promise<readonly StoredObject[] | undefined> {
  const all = await storage.list(bucket, prefix, LIST_LIMIT);
  if (all.isComplete) {
    return all.objects;
  }
  const forms = await Promise.all([
    storage.list(bucket, `${prefix}.mp4`, LIST_LIMIT),
    storage.list(bucket, `${prefix}ee-export-video`, LIST_LIMIT),
  ]);
  return forms.every(({ isComplete }) => isComplete) ? forms.flatMap(({ objects }) => objects) : undefined;
}

/** @returns undefined if the object was replaced meanwhile */
async function verify(
  storage: CloudStorage,
  object: StoredObject,
  { requestedVideo }: Succeeded,
): Promise<Delivery | undefined> {
  let isIntact = true;
  if (object.bytes === 0) {
    return judge(object, undefined);
  }
  try {
    const reading = await reader.read(object.bytes, async (start, end) => {
      const data = await storage.read(object, start, end);
      if (start === 0 && end === object.bytes && object.crc32c !== undefined) {
        const checksum = storage.checksum();
        checksum.update(data);
        isIntact = checksum.toString() === object.crc32c;
      }
      return data;
    });
    return judge(object, reading, requestedVideo, isIntact);
  } catch (error) {
    if (error instanceof StorageError && error.kind === 'NOT_FOUND') {
      return undefined;
    }
    throw error;
  }
}

function notThere({ policy }: Services, code: 'NOT_FOUND' | 'NO_BUCKET', message: string): Decision {
  return (record, now) =>
    isMissing(record, policy, now)
      ? recordDelivery(record, { state: 'MISSING', problems: [{ code, message }] }, now)
      : lookAgain(record, policy, now);
}

const unchecked =
  (code: DeliveryProblemCode, message: string): Decision =>
  (record, now) =>
    recordDelivery(record, { state: 'UNCHECKED', problems: [{ code, message }] }, now);

const READ_ROLE = 'roles/storage.objectViewer';

const deniedDecision = (bucket: string): Decision =>
  unchecked(
    'DENIED',
    `The service may not read gs://${bucket}: it needs ${READ_ROLE}. Once it has it, run npx ee-video-exports verify.`,
  );

/** By the client of Cloud Storage, which lives as long as the process. */
const toldBuckets = new WeakMap<NonNullable<Services['storage']>, Set<string>>();

/** Once for each bucket: thousands of videos may be in it. */
function tellDenied({ storage, log }: Services, bucket: string): void {
  if (storage === undefined) {
    return;
  }
  const told = toldBuckets.get(storage) ?? new Set<string>();
  toldBuckets.set(storage, told);
  if (!told.has(bucket)) {
    told.add(bucket);
    log.warning('delivery.denied', {
      bucket,
      role: READ_ROLE,
      message: `Grant ${READ_ROLE} on gs://${bucket} to the service account of pollExports`,
    });
  }
}

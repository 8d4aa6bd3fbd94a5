import { later } from '../clock.ts';
import type { Delivery, DeliveryProblem } from '../model/delivery.ts';
import type { ExportRecord, RecordIn } from '../model/record.ts';
import type { Policy } from './policy.ts';

/**
 * What happens to a record after its job succeeded: its video is looked for, verified, and copied. The state of the job
 * does not change any more; `dueAt` says when to look next, and is absent once there is nothing left to do.
 */

type Succeeded = RecordIn<'SUCCEEDED'>;

/** Written in the same commit as SUCCEEDED, so that a crash loses no delivery. */
export function firstDelivery(
  destination: string | undefined,
  policy: Policy,
  now: Date,
): Pick<Succeeded, 'delivery' | 'dueAt'> {
  const unchecked = (problem: DeliveryProblem): { delivery: Delivery } => ({
    delivery: { state: 'UNCHECKED', checkedAt: now, problems: [problem] },
  });
  if (!destination?.startsWith('gs://')) {
    return unchecked({ code: 'DRIVE', message: 'Only deliveries to Cloud Storage can be verified.' });
  }
  return policy.verifyDelivery
    ? { delivery: { state: 'PENDING', problems: [] }, dueAt: now }
    : unchecked({
        code: 'SWITCHED_OFF',
        message: 'Deliveries are not verified here: see VERIFY_DELIVERY and STORAGE_EMULATOR_HOST.',
      });
}

/** Whether there is something to look for, now or later. */
export const hasDueDelivery = (record: ExportRecord): boolean =>
  record.state === 'SUCCEEDED' && record.dueAt !== undefined;

/** Since when the video is looked for: when the record became SUCCEEDED, which can be long after the job ended. */
export const lookingSince = (record: Succeeded): Date =>
  record.history.findLast(({ state }) => state === 'SUCCEEDED')?.at ?? record.finishedAt;

/** How long it has been looked for. */
const lookedForMs = (record: Succeeded, now: Date): number => now.getTime() - lookingSince(record).getTime();

/** Whether a video that is not there counts as missing. */
export const isMissing = (record: Succeeded, policy: Policy, now: Date): boolean =>
  lookedForMs(record, now) >= policy.deliveryWaitMs;

/** Whether to give up on calls that fail. An outage lasts longer than a video takes to appear. */
export const isGivenUp = (record: Succeeded, policy: Policy, now: Date): boolean =>
  lookedForMs(record, now) >= Math.max(policy.deliveryWaitMs, policy.submitDeadlineMs);

/** Looks again later, after twice the time that has passed, and once more at the end of the wait. */
export function lookAgain(record: Succeeded, policy: Policy, now: Date): Succeeded {
  const passed = lookedForMs(record, now);
  const wait = Math.min(policy.retryMaxMs, Math.max(policy.retryMinMs, passed));
  const left = policy.deliveryWaitMs - passed;
  return {
    ...record,
    revision: record.revision + 1,
    updatedAt: now,
    delivery: {
      problems: [],
      ...record.delivery,
      state: record.delivery?.state ?? 'PENDING',
      checkedAt: now,
    },
    dueAt: later(now, left > 0 ? Math.min(wait, left) : wait),
  };
}

/** Makes the next poll check the video again, for example after an operator granted a missing role. */
export const verifyAgain = (record: Succeeded, now: Date): Succeeded => ({
  ...record,
  revision: record.revision + 1,
  updatedAt: now,
  delivery: { state: 'PENDING', problems: [] },
  dueAt: now,
});

/** The result of looking. */
export function recordDelivery(record: Succeeded, delivery: Delivery, now: Date): Succeeded {
  const { dueAt: _over, ...rest } = record;
  return {
    ...rest,
    revision: record.revision + 1,
    updatedAt: now,
    delivery: { ...delivery, checkedAt: now },
  };
}

/** The result of looking, if the copy to `deliverTo` must be tried again. */
export const recordDeliveryBeforeCopy = (
  record: Succeeded,
  delivery: Delivery,
  policy: Policy,
  now: Date,
): Succeeded => lookAgain({ ...record, delivery }, policy, now);

/** The copy exists. */
export const recordCopy = (
  record: Succeeded,
  delivery: Delivery,
  deliveredTo: string,
  now: Date,
): Succeeded => ({
  ...recordDelivery(record, delivery, now),
  deliveredTo,
});

/** Whether the video is known to be missing, or not to be what was requested. */
export const isUndelivered = ({ delivery }: RecordIn<'SUCCEEDED'>): boolean =>
  delivery?.state === 'MISSING' || delivery?.state === 'SUSPECT';

import { HOUR_MS } from '../clock.ts';
import {
  type ExportRecord,
  isInSubmission,
  type RecordError,
  type RecordInSubmission,
  type SubmittingRecord,
  type WaitingRecord,
} from '../model/record.ts';
import type { Moment, Policy } from './policy.ts';
import { type EmptySearch, isProvenAbsent } from './proof.ts';
import { cancelUnsent } from './cancellation.ts';
import {
  claimAgain,
  findingsOf,
  isUnsettledTooLong,
  loseTrack,
  reject,
  type SendFindings,
  type Wait,
  wait,
} from './transitions.ts';

/** Ends a claim whose holder sends no more: the record waits, is rejected or canceled, or is lost for want of a proof. */
export function giveBack(
  record: SubmittingRecord,
  findings: SendFindings,
  how: Wait,
  policy: Policy,
  moment: Moment,
): ExportRecord {
  const absent = isProvenAbsent(findings, policy);
  if (absent && record.cancelRequestedAt !== undefined) {
    const submissions = record.submissions + findings.sends;
    return cancelUnsent({ ...record, submissions }, policy, moment.now);
  }
  if (absent && how.rejecting) {
    return reject(record, findings, how.error, policy, moment.now);
  }
  const waiting = wait(record, findings, how, policy, moment);
  // Only unanswered sends leave the outcome unknown. If it is proven that they started nothing, a refusal of the ID does not
  // change that, and the next attempt gives up the ID.
  const isKnown = absent && findings.unanswered > 0;
  return !isKnown && isUnsettledTooLong(waiting, policy, moment.now)
    ? loseTrack(record, findings, how.error, policy, moment.now)
    : waiting;
}

/**
 * Claims a record and gives it back in one write: something else than Earth Engine's response to a send failed, such as
 * the list, so nothing is sent. The record waits as in any outage, and the deadline counts from here.
 */
export function putOffUnsent(
  record: RecordInSubmission,
  how: Wait,
  token: string,
  policy: Policy,
  moment: Moment,
): ExportRecord {
  const { serviceAccount } = record;
  const claimed = claimAgain(record, { token, serviceAccount, search: undefined }, policy, moment.now);
  // A record that is being rejected keeps its reason: what fails on the way does not replace it.
  const due: Wait =
    record.rejecting && record.error
      ? { ...how, error: record.error, rejecting: true }
      : withDeadline(record, how, policy, moment.now);
  return giveBack(claimed, findingsOf(claimed), due, policy, moment);
}

/**
 * The record after a search that found nothing while there is no slot to send it. Once it is proven that no operation
 * exists, it waits in the queue, where no deadline runs.
 */
export function afterSearchWithoutSlot(
  record: WaitingRecord,
  search: EmptySearch,
  token: string,
  policy: Policy,
  moment: Moment,
): ExportRecord {
  const { serviceAccount } = record;
  const claimed = claimAgain(record, { token, serviceAccount, search }, policy, moment.now);
  const findings = findingsOf(claimed);
  const how: Wait = isProvenAbsent(findings, policy)
    ? { waitingFor: 'QUEUE', error: noSlot }
    : { waitingFor: 'ADOPTION', error: record.error ?? noSlot };
  return giveBack(claimed, findings, how, policy, moment);
}

const noSlot: RecordError = {
  code: 429,
  status: 'QUEUE_FULL',
  message:
    'The job waits for a free slot. An earlier send got no response, and the lists of operations prove that it started none.',
  retryable: true,
};

/** An outage, a missing permission, or damaged bytes that have lasted too long rejects the job (SUBMIT_DEADLINE_HOURS). */
export function withDeadline(record: ExportRecord, how: Wait, policy: Policy, now: Date): Wait {
  const since = isInSubmission(record) ? record.outageSince : undefined;
  if (since === undefined || now.getTime() - since.getTime() < policy.submitDeadlineMs) {
    return how;
  }
  const hours = Math.round(policy.submitDeadlineMs / HOUR_MS);
  const message = `The job could not be sent for ${hours} hours. The last problem: ${how.error.message}`;
  return { ...how, error: { ...how.error, status: 'SUBMIT_DEADLINE', message }, rejecting: true };
}

import { HOUR_MS } from '../clock.ts';
import { type ExportRecord, isInSubmission, type SubmittingRecord } from '../model/record.ts';
import type { Moment, Policy } from './policy.ts';
import { isProvenAbsent } from './proof.ts';
import { cancelUnsent } from './cancellation.ts';
import { reject, type SendFindings, type Wait, wait } from './transitions.ts';

/** Ends a claim whose holder sends no more: the record waits, is rejected, or is canceled. */
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
  return absent && how.rejecting
    ? reject(record, findings, how.error, policy, moment.now)
    : wait(record, findings, how, policy, moment);
}

/** An outage or a missing permission that has lasted too long rejects the job (SUBMIT_DEADLINE_HOURS). */
export function withDeadline(record: ExportRecord, how: Wait, policy: Policy, now: Date): Wait {
  const since = isInSubmission(record) ? record.outageSince : undefined;
  if (since === undefined || now.getTime() - since.getTime() < policy.submitDeadlineMs) {
    return how;
  }
  const hours = Math.round(policy.submitDeadlineMs / HOUR_MS);
  const message = `Earth Engine could not accept the job for ${hours} hours. Its last answer: ${how.error.message}`;
  return { ...how, error: { ...how.error, status: 'SUBMIT_DEADLINE', message }, rejecting: true };
}

import type { Config } from '../../shared/config.ts';
import { later } from '../../shared/clock.ts';
import type { ProjectStatus } from '../../shared/model/project-status.ts';
import { isQueueReason, type WaitingRecord } from '../../shared/model/record.ts';
import { age, plural, time, waitingWords } from '../text.ts';
import type { Field } from './field.ts';
import { missingPermission } from '../../shared/record/missing-permission.ts';

/** Why a job waits, what ends the wait, and when the service tries again. */

export interface Circumstances {
  readonly now: Date;
  readonly config: Config;
  /** Undefined if the project never had a problem. */
  readonly project: ProjectStatus | undefined;
  /** How many jobs wait in the project's queue. */
  readonly queued: number;
}

export function waitingFields(record: WaitingRecord, circumstances: Circumstances): Field[] {
  const { now, config, queued } = circumstances;
  const missing =
    record.waitingFor === 'PERMISSION' ? missingPermission(record, record.error?.message ?? '') : undefined;
  const since = record.history.findLast(({ state }) => state !== 'WAITING')?.at ?? record.createdAt;
  return [
    ['waits', `for ${waitingWords[record.waitingFor]}, ${age(since, now)} so far`],
    ['why', missing?.why ?? record.error?.message],
    ['fix', missing?.fix ?? fixOf(record)],
    [
      'queue',
      isQueueReason(record.waitingFor)
        ? `${plural(queued, 'job')} of ${record.project} in line; higher priorities first, this one has ${record.priority}`
        : undefined,
    ],
    ['next try', nextTry(record, circumstances)],
    [
      'tried',
      record.submissions > 0
        ? `${record.submissions} ${record.submissions === 1 ? 'time' : 'times'}`
        : undefined,
    ],
    [
      'deadline',
      record.outageSince &&
        `${until(later(record.outageSince, config.submitDeadlineMs), now)}; then it is rejected`,
    ],
  ];
}

function fixOf({ waitingFor, project, heldBy }: WaitingRecord): string | undefined {
  switch (waitingFor) {
    case 'QUOTA':
      return `Raise the EECU quota of ${project}, then run npx ee-video-exports resume ${project}; or wait for its reset`;
    case 'BUDGET':
      return `Raise the limit of the budget ${heldBy}; or wait for its next month`;
    case 'QUEUE':
    case 'RATE':
    case 'SERVICE':
    case 'ADOPTION':
      return 'Nothing to do: the service keeps trying';
    case 'PERMISSION':
      return 'Grant it, then run npx ee-video-exports resume, or wait for the next try';
  }
}

/** A job in the queue is sent when the gate opens, whatever its own due time. */
function nextTry(record: WaitingRecord, { now, project }: Circumstances): string {
  if (record.waitingFor === 'BUDGET') {
    return 'once the budget holds it no longer';
  }
  const at = isQueueReason(record.waitingFor) ? project?.closedUntil : record.dueAt;
  return at === undefined || at <= now ? 'with the next poll' : until(at, now);
}

/** `2026-11-23 14:05:09 UTC, in 4 min` */
export const until = (at: Date, now: Date): string =>
  at > now ? `${time(at)} UTC, in ${age(now, at)}` : `${time(at)} UTC, ${age(at, now)} ago`;

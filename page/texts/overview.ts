import type { ProblemCode, Remedy } from '../views/view.ts';
import { plural } from './plural.ts';

/** The texts of the overview. */

interface ProblemText {
  readonly title: (count: number, subject: string) => string;
  readonly todo: (count: number) => string;
}

export const problems: Readonly<Record<ProblemCode, ProblemText>> = {
  POLLER_LATE: {
    title: (count) => `${plural(count, 'job')} overdue for more than 15 minutes`,
    todo: () =>
      'pollExports does not keep up, or does not run. Check its logs, and that its Cloud Scheduler job is not paused.',
  },
  DEAD_LETTERS: {
    title: (count) => `${plural(count, 'message')} that no function could handle in the last 24 hours`,
    todo: () => 'Find the cause in the logs, remove it, then publish the messages again.',
  },
  WAITING_PERMISSION: {
    title: (count) => `${plural(count, 'job waits', 'jobs wait')} for a permission`,
    todo: () => 'Grant the permission. The jobs are then sent by themselves.',
  },
  WAITING_SERVICE: {
    title: (count) => `${plural(count, 'job waits', 'jobs wait')} because Earth Engine does not respond`,
    todo: () => 'Nothing, unless it lasts: the service sends them again by itself.',
  },
  RESTRICTED: {
    title: (_, subject) => `Earth Engine restricts ${subject}`,
    todo: () =>
      "The project's quota is used up, so its jobs run slowly. Move work to another project, or wait until the quota resets.",
  },
  MISSING_VIDEOS: {
    title: (count) => `${plural(count, 'video')} of the last 24 hours did not arrive`,
    todo: () =>
      'Check that the bucket exists and nothing deletes its objects, then render them again: npx ee-video-exports retry --undelivered RECORD_ID',
  },
  SUSPECT_VIDEOS: {
    title: (count) =>
      `${plural(count, 'video of the last 24 hours is', 'videos of the last 24 hours are')} not as requested`,
    todo: () => 'Open one of them to see what is wrong with it.',
  },
  STALLED: {
    title: (count) => `${plural(count, 'job shows', 'jobs show')} no progress`,
    todo: () => 'Cancel and retry if it does not move: Earth Engine sometimes loses track of a task.',
  },
  UNSUCCESSFUL: {
    title: (count, subject) => `${plural(count, 'job')} ended with ${subject} in the last 24 hours`,
    todo: () => 'Open one of them to see what to change.',
  },
  REJECTED_MESSAGES: {
    title: (count) => `${plural(count, 'message')} rejected in the last 24 hours`,
    todo: (count) =>
      count === 1
        ? 'Its sender can see every mistake.'
        : 'Their senders can see every mistake, here of the newest message.',
  },
  BUDGET_HOLDS: {
    title: (count, subject) => `The budget ${subject} is used up and holds ${plural(count, 'job')}`,
    todo: () => 'Raise its limit, or remove it. The next poll then releases the jobs.',
  },
  BUDGET_CANCELS: {
    title: (_, subject) => `The budget ${subject} is used up and cancels its jobs`,
    todo: () => 'Raise its limit, or remove it, and then retry the canceled jobs.',
  },
};

export const remedies: Readonly<Record<Remedy['does'], string>> = {
  RAISE: 'Raise the limit',
  RELEASE: 'Remove the budget',
  GRANT: 'Grant it',
  SHOW: 'Show the message',
  LOGS: 'Find it in the logs',
  REPLAY: 'Publish the messages again',
};

export const overview = {
  title: 'Overview',
  counting: 'Counting …',
  unknown: '…',
  calm: 'Nothing needs attention',
  attention: (count: number) => `${plural(count, 'thing needs', 'things need')} attention`,
  problems: 'Problems',
  severity: { ERROR: 'Problem', WARNING: 'Warning' },
  tiles: {
    label: 'Key figures',
    running: 'Running',
    runningNote: (pending: number) => `${plural(pending, 'more', 'more')} in Earth Engine's queue`,
    waiting: 'Waiting',
    waitingNone: 'Nothing waits',
    waitingNote: 'oldest: ',
    succeeded: 'Succeeded in 24 h',
    succeededNote: (rate: string) => `${rate} of all that ended`,
    succeededNone: 'Nothing ended',
    unsuccessful: 'Unsuccessful in 24 h',
    unsuccessfulNote: 'failed, rejected, lost, or canceled',
    eecu: 'EECU-hours in 24 h',
    eecuNote: 'of jobs that ended',
  },
  hours: 'Finished per hour',
  eecu: 'EECU-hours per hour',
  hoursSucceeded: 'Succeeded',
  hoursUnsuccessful: 'Unsuccessful',
  hoursEecu: 'EECU-hours',
  asTable: 'Show as a table',
  hour: 'Hour',
  why: 'Why jobs wait',
  whyNone: 'No job waits.',
  projects: 'Earth Engine projects',
  projectsNone: 'No project has unfinished jobs.',
  project: 'Project',
  gate: 'Gate',
  gates: { OPEN: 'Open', CLOSED: 'Closed', PROBE: 'Testing' },
  gateNote: {
    OPEN: 'Jobs are sent as they come.',
    CLOSED: 'Jobs wait until then.',
    PROBE: 'The next job tests whether Earth Engine has room again.',
  },
  until: 'until',
  active: 'At Earth Engine',
  queued: 'In the queue',
  of: (limit: number) => `of ${limit.toLocaleString('en')}`,
  budgets: 'Budgets',
  running: 'Running now',
  runningNone: 'No job runs.',
  finished: 'Latest results',
  finishedNone: 'No job has ended in the last 24 hours.',
  all: 'Show all',
} as const;

export const budgets = {
  of: (limit: string) => `of ${limit} EECU-hours`,
  everything: 'All jobs',
  total: 'in total',
  holds: 'It holds jobs back.',
  cancels: 'It cancels jobs.',
} as const;

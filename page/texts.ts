import type { WaitingFor } from '../shared/model/record.ts';
import type { ProblemCode, ShownState } from './views/view.ts';

/** Every English text of the page. */

const plural = (count: number, one: string, many = `${one}s`): string =>
  `${count.toLocaleString('en')} ${count === 1 ? one : many}`;

interface StateText {
  readonly label: string;
  readonly meaning: string;
}

const states: Readonly<Record<ShownState, StateText>> = {
  WAITING: { label: 'Waiting', meaning: 'The service has the job, but cannot send it to Earth Engine yet.' },
  SUBMITTING: { label: 'Submitting', meaning: 'The job is being sent to Earth Engine.' },
  PENDING: { label: 'Pending', meaning: "The job is in Earth Engine's queue." },
  RUNNING: { label: 'Running', meaning: 'Earth Engine is rendering the video.' },
  CANCELLING: { label: 'Canceling', meaning: 'The job was canceled, and Earth Engine has not ended it yet.' },
  SUCCEEDED: { label: 'Succeeded', meaning: 'Earth Engine has rendered the video.' },
  FAILED: { label: 'Failed', meaning: 'Earth Engine could not render the video.' },
  REJECTED: {
    label: 'Rejected',
    meaning: 'Earth Engine refused the request, or could not accept it for too long.',
  },
  LOST: {
    label: 'Lost',
    meaning: 'Earth Engine no longer knows the operation, or it is unknown whether it started one.',
  },
  CANCELLED: { label: 'Canceled', meaning: 'The job was canceled.' },
  UNREADABLE: {
    label: 'Unreadable',
    meaning: 'This version cannot read the record. A newer version may have written it.',
  },
};

interface WaitingText {
  readonly label: string;
  readonly why: string;
}

const waiting: Readonly<Record<WaitingFor, WaitingText>> = {
  QUEUE: {
    label: 'Queue is full',
    why: "Earth Engine's queue has no room. The job is sent as soon as there is, highest priority first.",
  },
  RATE: {
    label: 'Rate limit',
    why: 'Earth Engine asked for fewer requests. The job is sent when the gate opens again.',
  },
  QUOTA: {
    label: 'EECU quota',
    why: "The project's EECU quota is used up. Jobs are sent again after it resets.",
  },
  BUDGET: {
    label: 'Budget',
    why: 'A budget holds the job. It is sent when the budget has room: when its month turns, or its limit is raised.',
  },
  SERVICE: {
    label: 'Outage',
    why: 'Earth Engine does not respond as it should. The service tries again by itself.',
  },
  PERMISSION: {
    label: 'Permission',
    why: 'Earth Engine refuses the service account. Grant it access; the job is then sent by itself.',
  },
  ADOPTION: {
    label: 'Checking',
    why: 'A response was lost. The service checks whether Earth Engine already has the job before it sends it again.',
  },
};

interface ProblemText {
  readonly title: (count: number, subject: string) => string;
  readonly todo: string;
}

const problems: Readonly<Record<ProblemCode, ProblemText>> = {
  POLLER_LATE: {
    title: (count) => `${plural(count, 'job')} overdue for more than 15 minutes`,
    todo: 'pollExports does not keep up, or does not run. Check its logs, and that its Cloud Scheduler job is not paused.',
  },
  DEAD_LETTERS: {
    title: (count) => `${plural(count, 'message')} that no function could handle in the last 24 hours`,
    todo: 'Find the cause in the logs, then publish the messages again: npx ee-video-exports dead-letters replay',
  },
  WAITING_PERMISSION: {
    title: (count) => `${plural(count, 'job waits', 'jobs wait')} for a permission`,
    todo: 'Open one of them for the message of Earth Engine, and grant the service account what it lacks.',
  },
  WAITING_SERVICE: {
    title: (count) => `${plural(count, 'job waits', 'jobs wait')} because Earth Engine does not respond`,
    todo: 'Nothing, unless it lasts: the service sends them again by itself.',
  },
  RESTRICTED: {
    title: (_, subject) => `Earth Engine restricts ${subject}`,
    todo: "The project's quota is used up, so its jobs run slowly. Move work to another project, or wait until the quota resets.",
  },
  STALLED: {
    title: (count) => `${plural(count, 'job shows', 'jobs show')} no progress`,
    todo: 'Cancel and retry if it does not move: Earth Engine sometimes loses track of a task.',
  },
  UNSUCCESSFUL: {
    title: (count, subject) => `${plural(count, 'job')} ended with ${subject} in the last 24 hours`,
    todo: 'Open one of them to see what to change.',
  },
  REJECTED_MESSAGES: {
    title: (count) => `${plural(count, 'message')} rejected in the last 24 hours`,
    todo: 'Their senders find every mistake with: npx ee-video-exports show MESSAGE_ID',
  },
};

export const texts = {
  product: 'Video exports',
  skip: 'Skip to content',
  nav: { label: 'Pages', overview: 'Overview', exports: 'Exports', batches: 'Batches' },
  live: {
    live: 'Live',
    connecting: 'Connecting',
    polling: 'Every 10 s',
    paused: 'Paused',
    meaning: {
      live: 'Changes appear by themselves.',
      connecting: 'The connection is being made.',
      polling: 'The live connection failed, so the page asks for changes every 10 seconds.',
      paused: 'Updates stop while the page is hidden.',
    },
  },
  states,
  waiting,
  problems,
  more: 'Show',
  overview: {
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
  },
  budgets: {
    of: (limit: string) => `of ${limit} EECU-hours`,
    everything: 'All jobs',
    total: 'in total',
    holds: 'It holds jobs back.',
    cancels: 'It cancels jobs.',
  },
  exports: {
    title: 'Exports',
    found: (count: number) => plural(count, 'export'),
    shown: (count: number, total: number | undefined) =>
      total === undefined || total <= count
        ? plural(count, 'export')
        : `${count.toLocaleString('en')} of ${plural(total, 'export')}`,
    filters: 'Filters',
    search: 'Job key or record ID',
    searchHint: 'Part of a job key or record ID',
    state: 'State',
    batch: 'Batch',
    label: 'Label',
    labelHint: 'team=water',
    apply: 'Apply',
    clear: 'Clear filters',
    job: 'Job',
    detail: 'Detail',
    created: 'Created',
    attempt: (attempt: number) => `attempt ${attempt}`,
    none: 'No export matches these filters.',
    noneAtAll: 'No exports yet. Publish a job, and it appears here.',
    older: 'Older exports',
    search_more: 'Search older exports',
    newest: 'Newest exports',
    partial: 'The search stopped before the end.',
    loading: 'Loading …',
    failed: 'The server did not respond. Try again.',
    list: 'Exports, newest first. Use the arrow keys to move.',
  },
  batches: {
    title: 'Batches',
    none: 'No batches yet.',
    older: 'Older batches',
    newest: 'Newest batches',
    batch: 'Batch',
    state: 'State',
    progress: 'Jobs',
    created: 'Created',
    eecu: 'EECU-hours',
    states: { EXPANDING: 'Publishing', RUNNING: 'Running', FINISHED: 'Finished' },
    canceled: 'Canceled',
    jobs: (count: number) => plural(count, 'job'),
    groups: {
      succeeded: 'succeeded',
      active: 'at Earth Engine',
      waiting: 'waiting',
      unsuccessful: 'unsuccessful',
    },
    missing: 'not recorded yet',
  },
  batch: {
    title: 'Batch',
    jobs: 'Jobs',
    jobsNone: 'No job of this batch has a record yet.',
    truncated: (count: number) => `The first ${count.toLocaleString('en')} records are shown.`,
    all: 'List all jobs',
    rejected: 'Rejected messages',
    rejectedNote: 'These messages of the batch never became a job.',
    noManifest: 'No manifest made this batch: jobs name it.',
    cancel: 'Cancel this batch',
    retry: 'Retry what did not succeed',
    commands: 'Commands',
    finished: 'Finished',
    created: 'Created',
    row: 'Jobs',
  },
  export: {
    title: 'Export',
    timeline: 'History',
    waits: 'Why it waits',
    next: 'Next check',
    due: 'now',
    error: 'What went wrong',
    errorWaiting: 'What was reported',
    todo: 'What to do',
    retryable: 'A retry can succeed.',
    notRetryable: 'A retry of the same request would most likely fail again.',
    facts: 'Details',
    attempts: 'Other attempts',
    attempt: (attempt: number) => `Attempt ${attempt}`,
    commands: 'Commands',
    cancel: 'Cancel this job',
    retry: 'Retry this job',
    show: 'Show it in a terminal',
    copy: 'Copy',
    copied: 'Copied',
    request: 'Request',
    findings: 'Check of the request',
    severity: { ERROR: 'Error', WARNING: 'Warning' },
    requestCode: 'Expression',
    requestRest: 'Other fields',
    requestShow: 'Show the request',
    requestAll: 'All of it, as JSON',
    requestCut: 'Only the beginning is shown.',
    json: 'Record as JSON',
    stalled: 'No progress since',
    cancelRequested: 'Cancellation requested',
    fields: {
      recordId: 'Record ID',
      project: 'Project',
      batch: 'Batch',
      labels: 'Labels',
      destination: 'Destination',
      outputs: 'Output',
      operation: 'Operation',
      stage: 'Stage',
      eecu: 'EECU-hours',
      priority: 'Priority',
      workloadTag: 'Workload tag',
      submissions: 'Calls to start it',
      serviceAccount: 'Service account',
      messageId: 'Message ID',
      extraOperations: 'Extra operations',
      created: 'Created',
      submitted: 'Accepted',
      started: 'Started',
      finished: 'Finished',
      expires: 'Record is deleted',
    },
  },
  delivery: {
    title: 'Video',
    play: (name: string) => `Video of ${name}`,
    states: {
      PENDING: 'The service looks for the video.',
      VERIFIED: 'Verified: it arrived, and it plays.',
      SUSPECT: 'It arrived, but it is not what was requested.',
      MISSING: 'It did not arrive.',
      AMBIGUOUS: 'More than one export may have written it.',
      UNCHECKED: 'The service cannot look at it.',
    },
    frames: (frames: number, rate: number | undefined) =>
      `${plural(frames, 'frame')}${rate === undefined ? '' : ` at ${rate} per second`}`,
    size: (width: number, height: number) => `${width} × ${height}`,
    seconds: (seconds: number) => `${Number(seconds.toFixed(1)).toLocaleString('en')} s`,
    megabytes: (bytes: number) => `${(bytes / 1e6).toFixed(bytes < 1e6 ? 2 : 1)} MB`,
    checked: 'checked',
    copy: 'Copy',
  },
  problem: {
    404: {
      title: 'Not found',
      text: 'There is no such page, export, or batch. Records are deleted some time after their job ends.',
    },
    500: {
      title: 'This page does not work now',
      text: 'The server could not read its data. Try again in a minute; the logs of showExports have the cause.',
    },
    422: {
      title: 'This record cannot be read',
      text: 'It does not have the form that this version expects. A newer version may have written it, or someone changed it manually.',
    },
    home: 'Go to the overview',
  },
  time: { justNow: 'just now', ago: (age: string) => `${age} ago`, in: (time: string) => `in ${time}` },
  none: 'None',
} as const;

import { plural } from './plural.ts';

/** The texts of the pages with lists. */

export const exports = {
  title: 'Exports',
  shown: (count: number, total: number | undefined) =>
    total === undefined || total <= count
      ? plural(count, 'export')
      : `${count.toLocaleString('en')} of ${plural(total, 'export')}`,
  filters: 'Filters',
  search: 'Job key or record ID',
  searchHint: 'Part of a job key or record ID',
  state: 'State',
  delivery: 'Video',
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
} as const;

export const batches = {
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
} as const;

export const batch = {
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
  retryForced: 'Retry what did not succeed, although it would most likely fail the same way',
  show: 'Show it in a terminal',
  commands: 'Commands',
  finished: 'Finished',
  created: 'Created',
  row: 'Jobs',
} as const;

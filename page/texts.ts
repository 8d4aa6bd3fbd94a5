import { exportPage } from './texts/export.ts';
import { batch, batches, exports } from './texts/lists.ts';
import { budgets, overview, problems, remedies } from './texts/overview.ts';
import { delivery, states, waiting } from './texts/states.ts';

/** Every English text of the page: here, and in `texts/`. */

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
  remedies,
  more: 'Show',
  overview,
  budgets,
  exports,
  batches,
  batch,
  export: exportPage,
  delivery,
  problem: {
    404: {
      title: 'Not found',
      text: 'There is no such page, export, or batch. Records are deleted some time after their job ends.',
    },
    400: { title: 'This address is not valid', text: 'A part of it has a value that is not allowed.' },
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

/** What `simulate` can cause, in the order of its help. */
export const troubles = [
  'queue-full',
  'outage',
  'permission',
  'quota',
  'slow',
  'stall',
  'failure',
  'off',
] as const;

export type Trouble = (typeof troubles)[number];

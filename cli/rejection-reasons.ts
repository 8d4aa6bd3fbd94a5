/** Why the service rejected a message, as `rejectedMessages` stores it. */
export const rejectionReasons = [
  'INVALID_DATA',
  'INVALID_JOB',
  'INVALID_MANIFEST',
  'INVALID_CANCELLATION',
  'CONFLICT',
  'DEAD_LETTER',
] as const;

/** What the process ends with: scripts decide by it. docs/reference.md lists the same. */
export const exitCodes = {
  /** Done; what was watched all succeeded. */
  DONE: 0,
  /** It could not be done: no connection, no permission, not found, or the doctor found something. */
  FAILED: 1,
  /** Wrong arguments, settings, or a message or manifest with mistakes: nothing was sent. */
  WRONG_INPUT: 2,
  /** What was watched ended otherwise than SUCCEEDED. */
  ENDED_BADLY: 3,
  /** Ctrl-C. */
  INTERRUPTED: 130,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** The same in words, for help and reference. */
export const exitCodeMeanings: Readonly<Record<ExitCode, string>> = {
  0: 'done; what was watched all succeeded',
  1: 'not done: no connection, no permission, not found; doctor found a problem',
  2: 'wrong arguments, settings, message or manifest: nothing was sent',
  3: 'what was watched ended otherwise than SUCCEEDED',
  130: 'interrupted by Ctrl-C; jobs go on',
};

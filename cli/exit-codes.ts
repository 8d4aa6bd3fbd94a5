/** The exit codes of the process, which scripts depend on. docs/reference.md lists them too. */
export const exitCodes = {
  /** Done; everything that was watched succeeded. */
  DONE: 0,
  /** Not done: no connection, no permission, not found, or the doctor found a problem. */
  FAILED: 1,
  /** Wrong arguments or settings, or mistakes in a message or manifest: nothing was sent. */
  WRONG_INPUT: 2,
  /** Something that was watched ended in a state other than SUCCEEDED. */
  UNSUCCESSFUL: 3,
  /** Ctrl-C. */
  INTERRUPTED: 130,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** The same in words, for the help and the reference. */
export const exitCodeMeanings: Readonly<Record<ExitCode, string>> = {
  0: 'done; everything that was watched succeeded',
  1: 'not done: no connection, no permission, not found; doctor found a problem',
  2: 'wrong arguments, settings, message or manifest: nothing was sent',
  3: 'something that was watched ended in a state other than SUCCEEDED',
  130: 'interrupted by Ctrl-C; jobs keep running',
};

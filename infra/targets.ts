/**
 * Every function: its functions-framework target, and the file in `functions/` that exports its handler by that name.
 * Terraform deploys the same ones from `build/deploy/{target}.zip`.
 */
export const targets = {
  submitExport: 'submit-export',
  pollExports: 'poll-exports',
  expandBatch: 'expand-batch',
  cancelExports: 'cancel-exports',
  recordDeadLetter: 'record-dead-letter',
  showExports: 'show-exports',
} as const;

export type Target = keyof typeof targets;

export const targetNames = Object.keys(targets) as Target[];

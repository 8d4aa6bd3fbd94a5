import type { Problem } from '../problem.ts';

/** What a check found. */
export interface Finding {
  readonly check: string;
  readonly outcome: 'OK' | 'PROBLEM' | 'SKIPPED';
  /** The code of a problem. Codes do not change, so scripts can use them. */
  readonly code?: FindingCode;
  readonly found: string;
  /** What to do about a problem. */
  readonly advice?: string;
}

/** Every code that a problem can have: those of the doctor, and those of errors that a check ran into. */
export type FindingCode =
  | Problem['code']
  | 'API_DISABLED'
  | 'CLOCK_OFF'
  | 'DATABASE_MISSING'
  | 'DEAD_LETTERS'
  | 'EMULATOR_NOT_RUNNING'
  | 'JOBS_WAIT_FOR_EARTH_ENGINE'
  | 'JOBS_WAIT_FOR_PERMISSION'
  | 'JOBS_WAIT_FOR_QUOTA'
  | 'PERMISSION_MISSING'
  | 'PROJECT_NOT_REGISTERED'
  | 'PROJECT_RESTRICTED'
  | 'PROJECT_WRONG'
  | 'SETTINGS_WRONG';

export const ok = (check: string, found: string): Finding => ({ check, outcome: 'OK', found });
export const skipped = (check: string, found: string): Finding => ({ check, outcome: 'SKIPPED', found });
export const problem = (check: string, code: FindingCode, found: string, advice: string): Finding => ({
  check,
  outcome: 'PROBLEM',
  code,
  found,
  advice,
});

/** What a check came to. */
export interface Finding {
  readonly check: string;
  readonly outcome: 'OK' | 'PROBLEM' | 'SKIPPED';
  /** Of a problem: stable, for scripts. */
  readonly code?: string;
  readonly found: string;
  /** What to do about a problem. */
  readonly advice?: string;
}

export const ok = (check: string, found: string): Finding => ({ check, outcome: 'OK', found });
export const skipped = (check: string, found: string): Finding => ({ check, outcome: 'SKIPPED', found });
export const problem = (check: string, code: string, found: string, advice: string): Finding => ({
  check,
  outcome: 'PROBLEM',
  code,
  found,
  advice,
});

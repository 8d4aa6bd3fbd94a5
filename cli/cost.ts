import { type ExportRecord, isActive, isTerminal } from '../shared/model/record.ts';
import { eecu } from './text.ts';

/** What jobs cost, as people read it. */

/** What a job has cost, if Earth Engine reported it. */
export function costOf(record: ExportRecord): string | undefined {
  if (!('eecuSeconds' in record) || record.eecuSeconds === undefined) {
    return undefined;
  }
  const cost = eecu(record.eecuSeconds);
  if (isActive(record)) {
    return `${cost} so far`;
  }
  return isFinalCost(record) ? cost : `at least ${cost}`;
}

/** Whether the cost of a job no longer changes, and is complete. */
export const isFinalCost = (record: ExportRecord): boolean =>
  isTerminal(record) && !('eecuIsLowerBound' in record && record.eecuIsLowerBound);

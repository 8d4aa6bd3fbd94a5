import type { Budget } from '../../shared/model/budget.ts';
import { shellQuoted } from '../../shared/text.ts';

/** Command lines to copy. */

const program = 'npx ee-video-exports';

/** As an argument for a shell. Ids have only harmless characters, but a text from a message may have any. */
const quoted = (text: string): string => (/^[A-Za-z0-9_@%+=:,./-]+$/.test(text) ? text : shellQuoted(text));

export const command = (...words: readonly (string | number)[]): string =>
  [program, ...words.map((word) => quoted(String(word)))].join(' ');

/** Every log entry about a message of the last days. */
export const logsOf = (messageId: string): string =>
  `gcloud logging read ${quoted(`jsonPayload.messageId="${messageId}"`)} --freshness=2d`;

const HOUR_SECONDS = 3600;

/** Replaces a budget with one that holds nothing any more, and is otherwise the same. */
export function raiseBudget(id: string, budget: Budget, spentEecuSeconds: number): string {
  const { match, period, timeZone, limitEecuHours, thresholds, strict } = budget;
  const percents = (action: Budget['thresholds'][number]['action']): number[] =>
    thresholds.filter((each) => each.action === action).map(({ percent }) => percent);
  const notify = percents('NOTIFY');
  // Each option takes one percentage; from the lowest one, the others have no effect.
  const [hold, cancel] = [Math.min(...percents('HOLD')), Math.min(...percents('CANCEL'))];
  const percent = Math.min(100, hold, cancel);
  const needed = spentEecuSeconds / HOUR_SECONDS / (percent / 100);
  return command(
    'budget',
    'set',
    id,
    '--limit',
    Math.max(roomFor(needed), limitEecuHours),
    ...(period === 'TOTAL' ? ['--total'] : []),
    ...(timeZone === undefined ? [] : ['--time-zone', timeZone]),
    ...(match.project === undefined ? [] : ['--match-project', match.project]),
    ...(match.batchIdPrefix === undefined ? [] : ['--batch-prefix', match.batchIdPrefix]),
    ...(match.label === undefined ? [] : ['--label', `${match.label.key}=${match.label.value}`]),
    ...(notify.length > 0 ? ['--notify', ...notify] : []),
    ...(hold <= 1000 ? ['--hold', hold] : []),
    ...(cancel <= 1000 ? ['--cancel', cancel] : []),
    ...(strict ? ['--strict'] : []),
  );
}

/** A round number with at least a fifth of room, so that the next job does not use it up at once. */
function roomFor(hours: number): number {
  const enough = Math.max(1, hours * 1.2);
  const step = 10 ** Math.max(0, Math.floor(Math.log10(enough)) - 1);
  return Math.ceil(enough / step) * step;
}

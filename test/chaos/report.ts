import { parseRequestId } from '../../shared/model/ids.ts';
import type { ExportRecord } from '../../shared/model/record.ts';
import type { ChaosResult } from './chaos.ts';

const MAX_PROBLEMS = 20;

/** The report of a run: the faults, the results, and how to repeat it. */
export function report(result: ChaosResult): string {
  const { jobs, seconds, seed, published, tally, outcome, quietSeconds, problems } = result;
  const { records, operations, exportCalls, rejected, publishedStates } = outcome;
  const calls = Map.groupBy(exportCalls, ({ outcome }) => outcome);
  const noted = (text: string): number =>
    [...records.values()].filter(({ history }) => history.some(({ note }) => note?.includes(text))).length;
  const states = Map.groupBy(records.values(), ({ state }) => state);
  const lines: readonly (readonly [string, string])[] = [
    ['jobs, messages', `${jobs}, ${published}; seed ${seed}, ${seconds} s of faults`],
    ['deliveries', counts(tally.under('delivery:'))],
    ['responses to Pub/Sub', counts(tally.under('response:'))],
    ['responses to copies', counts(tally.under('copy response:'))],
    ['processes', counts([...tally.under('sent:'), ...tally.under('ended:')])],
    ['connections cut', counts(tally.under('cut:'))],
    ['Earth Engine faults', counts(tally.under('fault:'))],
    ['queue filled by others', String(tally.of('queue filled by other users'))],
    ['polls', counts(tally.under('poll:'))],
    ['export calls', counts([...calls].map(([name, { length }]) => [name.toLowerCase(), length] as const))],
    ['claims that ran out', `${noted('claim ran out')} records`],
    ['adopted operations', `${noted('adopted')} records`],
    ['used-up ids', `${[...records.values()].filter(isLaterGeneration).length} records`],
    ['records', counts([...states].map(([state, { length }]) => [state, length] as const))],
    ['rejected messages', counts(reasonsOf(rejected.values()))],
    ['events', `${publishedStates.size} states of ${records.size} records`],
    ['operations', `${operations.length} for ${records.size} jobs`],
    ['all done after', `${quietSeconds.toFixed(1)} s`],
  ];
  const width = Math.max(...lines.map(([name]) => name.length));
  return [
    ...lines.map(([name, text]) => `  ${name.padEnd(width)}  ${text}`),
    '',
    ...(problems.length === 0
      ? ['Nothing is lost or duplicated, and every record is true.']
      : [
          `${problems.length} problems:`,
          ...problems.slice(0, MAX_PROBLEMS).map((problem) => `  ${problem}`),
        ]),
    `To repeat: npm run chaos -- --jobs ${jobs} --seconds ${seconds} --seed ${seed}`,
  ].join('\n');
}

const counts = (pairs: readonly (readonly [name: string, times: number])[]): string =>
  pairs.map(([name, times]) => `${times} ${name}`).join(', ') || 'none';

const isLaterGeneration = ({ requestId }: ExportRecord): boolean =>
  (parseRequestId(requestId)?.generation ?? 1) > 1;

const reasonsOf = (rejected: Iterable<{ readonly reason: string }>): (readonly [string, number])[] =>
  [...Map.groupBy(rejected, ({ reason }) => reason)].map(([reason, { length }]) => [reason, length]);

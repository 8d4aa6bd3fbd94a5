import {
  createEstimator,
  type Estimator,
  type PlannedJobs,
  type TimedEstimate,
} from '../shared/estimate/history.ts';
import type { Instability } from '../shared/estimate/stability.ts';
import type { Cli } from './cli.ts';
import { duration, plural } from './text.ts';

/** What jobs will probably cost, as people and programs read it. */

export interface WrittenEstimate {
  /** One sentence, and one more for each way in which the estimate may be wrong. */
  readonly texts: readonly string[];
  readonly json: object;
  /** The upper end of the range; undefined if the cost is unknown. */
  readonly highHours?: number;
}

export const estimatorOf = async (cli: Cli): Promise<Estimator> =>
  createEstimator({ store: await cli.store(), clock: cli.clock });

/** The cost of jobs of one shape. An estimate is an extra: if it cannot be made, the command goes on without it. */
export async function readEstimate(
  estimator: Estimator,
  jobs: Omit<PlannedJobs, 'shapeHash'> & { readonly shapeHash?: string | undefined },
): Promise<WrittenEstimate> {
  const { shapeHash, count } = jobs;
  try {
    const found = shapeHash === undefined ? undefined : await estimator({ ...jobs, shapeHash });
    return found
      ? {
          texts: textsOf(found, count),
          json: { jobs: count, ...jsonOf(found) },
          highHours: found.high / HOUR_SECONDS,
        }
      : {
          texts: ['unknown: nothing similar has run. Run one such job first'],
          json: { jobs: count, similarJobs: 0 },
        };
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    return {
      texts: [`unknown: similar jobs cannot be read: ${problem}`],
      json: { jobs: count, problem },
    };
  }
}

const HOUR_SECONDS = 3600;

function jsonOf(found: TimedEstimate): object {
  const { low, median, high, isEightyPercent, similarJobs, scaledBy, instabilities, durationMs } = found;
  return {
    eecuHours: { low: low / HOUR_SECONDS, median: median / HOUR_SECONDS, high: high / HOUR_SECONDS },
    coverage: isEightyPercent ? 0.8 : undefined,
    similarJobs,
    scaledBy,
    unstable: instabilities.length > 0 ? instabilities.map(({ kind }) => kind) : undefined,
    seconds: durationMs === undefined ? undefined : Math.round(durationMs / 1000),
  };
}

function textsOf(found: TimedEstimate, count: number): string[] {
  const { low, median, high, isEightyPercent, similarJobs, scaledBy, instabilities, durationMs } = found;
  const unit = unitOf(median);
  const range = `${unit.figure(low)}–${unit.figure(high)}`;
  const whole =
    similarJobs === 1
      ? ''
      : isEightyPercent
        ? ` (80%: ${range})`
        : ` (${range} so far, too few for an 80% range)`;
  const scale = scaledBy === undefined ? '' : `, scaled by ${scaledBy}`;
  const time =
    durationMs === undefined
      ? ''
      : count === 1
        ? `; renders for about ${days(durationMs)}`
        : `; about ${days(durationMs)} at the current pace`;
  return [
    `${unit.figure(median)} ${unit.name}${whole}, from ${plural(similarJobs, 'similar job')}${scale}${time}`,
    ...instabilities.map(warningOf),
  ];
}

function warningOf(found: Instability): string {
  const amount = (seconds: number): string => `${unitOf(seconds).figure(seconds)} ${unitOf(seconds).name}`;
  switch (found.kind) {
    case 'DRIFT':
      return `unstable: the costs of such jobs ${found.direction}; the last ones had about ${amount(found.recent)} each`;
    case 'TWO_MODES':
      return `unstable: there are two kinds of such jobs, of about ${found.modes.map(amount).join(' and ')}`;
    case 'HEAVY_TAIL':
      return `unstable: a few such jobs cost far more than the others; the most expensive 5% made up ${Math.round(found.share * 100)}% of the total`;
  }
}

const unitOf = (seconds: number) =>
  seconds < HOUR_SECONDS / 10
    ? { name: 'EECU-seconds', figure: (value: number) => twoDigits(value) }
    : { name: 'EECU-hours', figure: (value: number) => twoDigits(value / HOUR_SECONDS) };

/** As precise as an estimate is. */
const twoDigits = (value: number): string =>
  String(value < 100 ? Number(value.toPrecision(2)) : Math.round(value));

const TWO_DAYS_MS = 2 * 86_400_000;

const days = (ms: number): string =>
  ms < TWO_DAYS_MS ? duration(ms) : `${twoDigits(ms / (TWO_DAYS_MS / 2))} days`;

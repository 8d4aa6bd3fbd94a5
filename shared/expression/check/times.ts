import { DAY_MS } from '../../clock.ts';
import { argument, type Call, constantArgument, reportArgument, type Transfer } from './call.ts';
import type { Value } from './value.ts';

/** Dates, ranges, and filters: what is known of their bounds. */

const isoDate = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?Z?)?$/;

/** Milliseconds of a constant date; undefined if it is not known. */
function millisOf(value: Value | undefined): number | undefined {
  switch (value?.kind) {
    case 'Date':
      return typeof value.of === 'number' ? value.of : undefined;
    case 'Number':
      return value.value;
    case 'String': {
      const text = value.value;
      if (text === undefined || !isoDate.test(text)) {
        return undefined;
      }
      const millis = Date.parse(text.length > 10 && !text.endsWith('Z') ? `${text}Z` : text);
      return Number.isNaN(millis) ? undefined : millis;
    }
    default:
      return undefined;
  }
}

/** Without a time zone, so that two dates can be compared. */
const dateOf = (call: Call, millis: number | undefined): Value => ({
  kind: 'Date',
  of: argument(call, 'timeZone') === undefined ? millis : undefined,
});

const date: Transfer = (call) => dateOf(call, millisOf(argument(call, 'value')));

const fromYMD: Transfer = (call) => {
  const [year, month, day] = ['year', 'month', 'day'].map((name) => constantArgument(call, name));
  const isKnown = typeof year === 'number' && typeof month === 'number' && typeof day === 'number';
  return dateOf(call, isKnown ? Date.UTC(year, month - 1, day) : undefined);
};

function dateRange(call: Call): Value {
  const start = millisOf(argument(call, 'start'));
  const end = millisOf(argument(call, 'end'));
  if (start !== undefined && end !== undefined && end <= start) {
    const isReversed = end < start;
    reportArgument(
      call,
      'EMPTY_DATE_RANGE',
      'end',
      `the range from ${day(start)} to ${day(end)} is ${isReversed ? 'reversed' : 'empty, because its end is not part of it'}: no image is in it`,
      () => (isReversed ? 'Swap start and end.' : 'Give an end after the start, such as the next day.'),
    );
  }
  if (start !== undefined && end !== undefined) {
    call.report.measure('days', (end - start) / DAY_MS);
  }
  return { kind: 'DateRange' };
}

const day = (millis: number): string => {
  const time = new Date(millis);
  return Number.isNaN(time.getTime()) ? String(millis) : time.toISOString().replace('T00:00:00.000Z', '');
};

/** Months and days of the year may wrap around the new year; years cannot. */
function calendarRange(call: Call): Value {
  const start = constantArgument(call, 'start');
  const end = constantArgument(call, 'end');
  if (
    constantArgument(call, 'field') === 'year' &&
    typeof start === 'number' &&
    typeof end === 'number' &&
    end < start
  ) {
    reportArgument(
      call,
      'EMPTY_DATE_RANGE',
      'end',
      `the years from ${start} to ${end} are reversed: no image is in them`,
      () => 'Swap start and end.',
    );
  }
  return elsewhere(call);
}

function rangeContains(call: Call): Value {
  const least = constantArgument(call, 'minValue');
  const most = constantArgument(call, 'maxValue');
  if (typeof least === 'number' && typeof most === 'number' && most < least) {
    reportArgument(
      call,
      'EMPTY_DATE_RANGE',
      'maxValue',
      `the range from ${least} to ${most} is reversed: nothing is in it`,
      () => 'Swap minValue and maxValue.',
    );
  }
  return elsewhere(call);
}

/** A filter that says nothing about a region. */
const elsewhere: Transfer = () => ({ kind: 'Filter', of: 'ELSEWHERE' });

const reducer =
  (outputs: number | undefined): Transfer =>
  () => ({ kind: 'Reducer', of: outputs });

/** Two inputs make two outputs of max and min, so only their default is known. */
const extreme: Transfer = (call) => ({
  kind: 'Reducer',
  of: argument(call, 'numInputs') === undefined || constantArgument(call, 'numInputs') === 1 ? 1 : undefined,
});

const percentile: Transfer = (call) => {
  const percentiles = constantArgument(call, 'percentiles');
  return { kind: 'Reducer', of: Array.isArray(percentiles) ? percentiles.length : undefined };
};

const single =
  'mean median mode sum product count first last stdDev sampleStdDev variance sampleVariance skew kurtosis and or';
const aboutValues =
  'dateRangeContains eq equals neq notEquals lt lessThan lte lessThanOrEquals gt greaterThan gte greaterThanOrEquals ' +
  'stringContains stringStartsWith stringEndsWith inList listContains dayOfYear notNull maxDifference';

export const otherTransfers: ReadonlyMap<string, Transfer> = new Map<string, Transfer>([
  ['Date', date],
  ['Date.fromYMD', fromYMD],
  ['DateRange', dateRange],
  ['Filter.calendarRange', calendarRange],
  ['Filter.rangeContains', rangeContains],
  ...aboutValues.split(' ').map((name): [string, Transfer] => [`Filter.${name}`, elsewhere]),
  ...single.split(' ').map((name): [string, Transfer] => [`Reducer.${name}`, reducer(1)]),
  ['Reducer.minMax', reducer(2)],
  ['Reducer.max', extreme],
  ['Reducer.min', extreme],
  ['Reducer.percentile', percentile],
]);

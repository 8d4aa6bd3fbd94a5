import { readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { type CheckedRequest, checkVideoInSteps } from '../../../shared/expression/check/check-video.ts';
import { runAtOnce } from '../../../shared/steps.ts';

const extentOf = (request: CheckedRequest) => runAtOnce(checkVideoInSteps(request)).extent;

const call = (functionName: string, given: object) => ({
  functionInvocationValue: { functionName, arguments: given },
});
const constant = (constantValue: unknown) => ({ constantValue });
const range = (start: string, end: string) =>
  call('DateRange', { start: constant(start), end: constant(end) });

/** A video of the collection's images in this range of dates. */
const video = (dates: object) => ({
  expression: {
    result: '0',
    values: {
      '0': call('Collection.filter', {
        collection: call('ImageCollection.load', { id: constant('MODIS/061/MOD13A2') }),
        filter: call('Filter.dateRangeContains', {
          leftValue: dates,
          rightField: constant('system:time_start'),
        }),
      }),
    },
  },
});

describe('the extent of a video', () => {
  it.each([
    ['landsat-annual-timelapse', { frames: 21, pixels: 777_600, squareKilometers: 1994.84 }],
    ['modis-ndvi-africa', { pixels: 518_400, days: 366, squareKilometers: 50_582_500 }],
    ['sentinel2-cloudfree', { pixels: 262_144, days: 183, squareKilometers: 535.741 }],
  ])("is what an official client's request says: %s", (name, extent) => {
    const request = JSON.parse(readFileSync(`test/fixtures/requests/${name}.json`, 'utf8')) as CheckedRequest;
    expect(extentOf(request)).toEqual(extent);
  });

  it('has the days of a range', () => {
    expect(extentOf(video(range('2020-01-01', '2020-03-01')))).toEqual({ days: 60 });
  });

  it.each([
    ['reversed', range('2020-03-01', '2020-01-01')],
    ['computed', range('yesterday', 'today')],
  ])('is unknown if the range is %s', (_, dates) => {
    expect(extentOf(video(dates))).toBeUndefined();
  });
});

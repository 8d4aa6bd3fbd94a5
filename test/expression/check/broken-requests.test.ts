import { readFileSync } from 'node:fs';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { checkVideo } from '../../../shared/expression/check/check-video.ts';
import type { PlacedFinding } from '../../../shared/expression/check/report.ts';
import { brokenPrograms } from './broken-requests.ts';
import { type ClientRequest, type OfficialClient, startOfficialClient } from './official-client.ts';

let client: OfficialClient;
beforeAll(async () => {
  client = await startOfficialClient();
});
afterAll(() => client.close());

/** The name of the algorithm that a finding's path leads to, or leads into the call of. */
function algorithmAt({ expression }: ClientRequest, { place }: PlacedFinding): string | undefined {
  let at: unknown = expression;
  let name: string | undefined;
  for (const key of place) {
    at = (at as Record<string | number, unknown>)[key];
    name = nameOf(at) ?? name;
  }
  return name;
}

const nameOf = (node: unknown): string | undefined =>
  (node as { functionInvocationValue?: { functionName?: string } } | undefined)?.functionInvocationValue
    ?.functionName;

describe('a broken video of the official JavaScript client', () => {
  it.each(brokenPrograms)('is found at the right node: $name', async (program) => {
    const request = await client.request(program.build(client.ee), program.options);
    const errors = checkVideo(request).filter(({ severity }) => severity === 'ERROR');
    expect(errors).toEqual([
      {
        severity: 'ERROR',
        code: program.code,
        path: expect.stringMatching(program.at),
        message: expect.stringMatching(program.message),
        suggestion: expect.stringMatching(/\.$/),
        place: expect.any(Array),
      },
    ]);
    expect(algorithmAt(request, errors[0] as PlacedFinding)).toBe(program.algorithm);
  });
});

type Json = Record<string, never>;

/** The example of a request in the repository, changed as a program without a client could write it. */
function landsat(change: (values: Json, mapped: Json) => void): ClientRequest {
  const file = new URL('../../fixtures/requests/landsat-annual-timelapse.json', import.meta.url);
  const request = JSON.parse(readFileSync(file, 'utf8')) as ClientRequest;
  const values = request.expression.values as unknown as Record<string, Json>;
  change(values as unknown as Json, (values['3'] as never)['functionInvocationValue']['arguments']);
  return request;
}

const constant = (constantValue: unknown) => ({ constantValue });
const call = (functionName: string, args: object = {}) => ({
  functionInvocationValue: { functionName, arguments: args },
});
const argumentsOf = 'request.expression.values["3"].functionInvocationValue.arguments';

describe('a broken request that no client would make', () => {
  it.each<[string, ClientRequest, string, string, RegExp]>([
    [
      'a required argument is missing',
      landsat((_values, args) => Reflect.deleteProperty(args, 'image')),
      'MISSING_ARGUMENT',
      `${argumentsOf}.image`,
      /Image\.visualize has no value for image/,
    ],
    [
      'an argument is misspelled',
      landsat((_values, args) => Object.assign(args, { pallete: constant(['ffffff']) })),
      'UNKNOWN_ARGUMENT',
      `${argumentsOf}.pallete`,
      /no argument "pallete"/,
    ],
    [
      'a number is an image',
      landsat((_values, args) => Object.assign(args, { image: constant(5) })),
      'WRONG_ARGUMENT_TYPE',
      `${argumentsOf}.image`,
      /needs an Image here, and gets a Number/,
    ],
    [
      'an asset id is an image',
      landsat((_values, args) => Object.assign(args, { image: constant('USGS/SRTMGL1_003') })),
      'WRONG_ARGUMENT_TYPE',
      `${argumentsOf}.image`,
      /gets a String/,
    ],
    [
      'a collection is an image',
      landsat((_values, args) =>
        Object.assign(args, { image: call('ImageCollection.load', { id: constant('A') }) }),
      ),
      'WRONG_ARGUMENT_TYPE',
      `${argumentsOf}.image`,
      /gets an ImageCollection/,
    ],
    [
      'an image is a collection',
      landsat((_values, args) =>
        Object.assign(args, {
          image: call('ImageCollection.mosaic', { collection: call('Image.load', { id: constant('A') }) }),
        }),
      ),
      'WRONG_ARGUMENT_TYPE',
      `${argumentsOf}.image.functionInvocationValue.arguments.collection`,
      /needs an ImageCollection here, and gets an Image/,
    ],
    [
      'a GeoJSON constant is a geometry',
      landsat((values) =>
        Object.assign((values['4'] as never)['functionInvocationValue']['arguments'], {
          geometry: constant({ type: 'Point', coordinates: [1, 2] }),
        }),
      ),
      'WRONG_ARGUMENT_TYPE',
      'request.expression.values["4"].functionInvocationValue.arguments.geometry',
      /needs a Geometry here, and gets a Dictionary/,
    ],
    [
      'a list of numbers is a list of images',
      landsat((values) =>
        Object.assign(values, {
          '0': call('ImageCollection.fromImages', { images: constant([1, 2]) }),
        }),
      ),
      'WRONG_ARGUMENT_TYPE',
      'request.expression.values["0"].functionInvocationValue.arguments.images',
      /needs a List<Image> here, and each item of this list is a Number/,
    ],
    [
      'the result is an image',
      landsat((values) => Object.assign(values, { '0': call('Image.load', { id: constant('A') }) })),
      'RESULT_NOT_IMAGE_COLLECTION',
      'request.expression.values["0"]',
      /the result is an Image/,
    ],
    [
      'the result is a number',
      landsat((values) => Object.assign(values, { '0': constant(5) })),
      'RESULT_NOT_IMAGE_COLLECTION',
      'request.expression.values["0"]',
      /the result is a Number/,
    ],
    [
      'the result is a table',
      landsat((values) =>
        Object.assign(values, { '0': call('Collection.loadTable', { tableId: constant('A') }) }),
      ),
      'RESULT_NOT_IMAGE_COLLECTION',
      'request.expression.values["0"]',
      /the result is a FeatureCollection/,
    ],
  ])('%s', (_name, request, code, path, message) => {
    expect(checkVideo(request).filter(({ severity }) => severity === 'ERROR')).toMatchObject([
      { severity: 'ERROR', code, path, message: expect.stringMatching(message) },
    ]);
  });
});

describe('a doubtful request', () => {
  it.each<[string, ClientRequest, string, string, RegExp]>([
    [
      'an algorithm that is not known',
      landsat((values) => {
        Object.assign((values['3'] as never)['functionInvocationValue'], { functionName: 'Image.visualise' });
      }),
      'UNKNOWN_ALGORITHM',
      'request.expression.values["3"].functionInvocationValue.functionName',
      /Did you mean Image\.visualize\?/,
    ],
    [
      'a call of the Code Editor',
      landsat((values) =>
        Object.assign(values, { '0': call('Map.addLayer', { object: values['0'] as never }) }),
      ),
      'UI_ONLY',
      'request.expression.values["0"].functionInvocationValue.functionName',
      /Remove the call/,
    ],
    [
      'a deprecated asset',
      {
        expression: {
          result: '0',
          values: { '0': call('ImageCollection.load', { id: constant('MODIS/006/MOD13A2') }) },
        },
      },
      'DEPRECATED_ASSET',
      'request.expression.values["0"].functionInvocationValue.arguments.id',
      /Use MODIS\/061\/MOD13A2/,
    ],
    [
      'no region',
      { expression: { result: '0', values: { '0': call('ImageCollection.load', { id: constant('A') }) } } },
      'NO_REGION',
      'request.expression.values["0"]',
      /clipToBoundsAndScale/,
    ],
    [
      'an odd width',
      landsat((values) =>
        Object.assign((values['4'] as never)['functionInvocationValue']['arguments'], {
          width: constant(1081),
        }),
      ),
      'ODD_FRAME_SIZE',
      'request.expression.values["4"].functionInvocationValue.arguments.width',
      /Use 1082/,
    ],
  ])('%s', (_name, request, code, path, suggestion) => {
    const findings = checkVideo(request);
    expect(findings).toContainEqual(
      expect.objectContaining({
        severity: 'WARNING',
        code,
        path,
        suggestion: expect.stringMatching(suggestion),
      }),
    );
    expect(findings.every(({ severity }) => severity === 'WARNING')).toBe(true);
  });

  it.each([
    ['2021-01-01', '2020-01-01', /reversed/],
    ['2021-01-01', '2021-01-01', /empty/],
  ])('a range of dates from %s to %s', async (start, end, message) => {
    const images = client.ee.ImageCollection('A').filterDate(start, end);
    expect(checkVideo(await client.request(images))).toMatchObject([
      {
        code: 'EMPTY_DATE_RANGE',
        message: expect.stringMatching(message),
        path: expect.stringMatching(/\.end$/),
      },
    ]);
  });
});

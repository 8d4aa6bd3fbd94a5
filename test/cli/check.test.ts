import { describe, expect, it } from 'vitest';

import { smallJob } from '../harness.ts';
import { createRig } from './rig.ts';

const constant = (constantValue: unknown) => ({ constantValue });
const call = (functionName: string, args: object) => ({
  functionInvocationValue: { functionName, arguments: args },
});
const image = { argumentReference: '_MAPPING_VAR_0_0' };

/** A job whose frames are made by one function. */
function jobOf(frame: object, videoOptions: object = {}): string {
  const expression = {
    result: '0',
    values: {
      '0': call('Collection.map', {
        collection: call('ImageCollection.load', { id: constant('MODIS/061/MOD13A2') }),
        baseAlgorithm: { functionDefinitionValue: { argumentNames: ['_MAPPING_VAR_0_0'], body: '1' } },
      }),
      '1': frame,
    },
  };
  return JSON.stringify(smallJob({}, { expression, videoOptions: { framesPerSecond: 5, ...videoOptions } }));
}

const scaled = (input: object, size: object) => call('Image.clipToBoundsAndScale', { input, ...size });
const rgb = call('Image.visualize', {
  image,
  bands: constant(['sur_refl_b01', 'NDVI', 'EVI']),
  max: constant(9000),
});
const size = { width: constant(1280), height: constant(720) };

const captures: readonly [name: string, job: string, shown: string][] = [
  [
    'one gray band',
    jobOf(scaled(call('Image.visualize', { image, bands: constant(['NDVI']), max: constant(9000) }), size)),
    `-: 1 error

error NOT_THREE_BANDS: each frame has 1 band (visualize shows one band in gray,
without a palette); a video needs three: red, green, and blue
    3 |     (image) =>
    4 |       image.visualize({bands: ["NDVI"], max: 9000})
      |             ^^^^^^^^^
    5 |         .clipToBoundsAndScale({width: 1280, height: 720})
  = Use Image.visualize with a palette, with three bands, or with
    forceRgbOutput.
    at request.expression.values["1"].functionInvocationValue.arguments.input`,
  ],
  [
    'a misspelled argument',
    jobOf(
      scaled(
        call('Image.visualize', { image, bands: constant(['NDVI', 'EVI', 'NDVI']), mim: constant(0) }),
        size,
      ),
    ),
    `-: 1 error

error UNKNOWN_ARGUMENT: Image.visualize has no argument "mim"
    3 |     (image) =>
    4 |       image.visualize({bands: ["NDVI", "EVI", "NDVI"], mim: 0})
      |                                                             ^
    5 |         .clipToBoundsAndScale({width: 1280, height: 720})
  = Use min.
    at request.expression.values["1"].functionInvocationValue.arguments.input
    .functionInvocationValue.arguments.mim`,
  ],
  [
    'too many pixels, and an odd width',
    jobOf(scaled(rgb, { width: constant(20_001), height: constant(10_000) })),
    `-: 1 error, 1 warning

error TOO_MANY_PIXELS: each frame has at least 200010000 pixels;
maxPixelsPerFrame is 100000000
    5 |         .visualize({bands: ["sur_refl_b01", "NDVI", "EVI"], max: 9000})
    6 |         .clipToBoundsAndScale({width: 20001, height: 10000})
      |          ^^^^^^^^^^^^^^^^^^^^
    7 |   );
  = Use a smaller size or a larger scale, or raise
    videoOptions.maxPixelsPerFrame.
    at request.expression.values["1"]

warning ODD_FRAME_SIZE: width is 20001: many players and encoders of MP4 need an
even width and height
    5 |         .visualize({bands: ["sur_refl_b01", "NDVI", "EVI"], max: 9000})
    6 |         .clipToBoundsAndScale({width: 20001, height: 10000})
      |                                       ^^^^^
    7 |   );
  = Use 20002.
    at request.expression.values["1"].functionInvocationValue.arguments.width`,
  ],
];

describe('check at 80 columns', () => {
  it.each(captures)('underlines %s in the graph as code, and exits with 2', async (_name, stdin, shown) => {
    const rig = createRig({ stdin, isInteractive: true, columns: 80 });
    expect(await rig.run('check', '-')).toEqual({ code: 2, out: `${shown}\n`, err: '' });
    expect(Math.max(...shown.split('\n').map((text) => text.length))).toBeLessThanOrEqual(80);
  });
});

describe('check', () => {
  it('finds nothing in the examples, and needs no connection', async () => {
    const files = ['las-vegas-growth', 'africa-ndvi', 'florence-summer', 'annual-timelapses-manifest'].map(
      (name) => `infra/local/examples/${name}.json`,
    );
    const { code, out } = await createRig({ environment: {} }).run('check', ...files);
    expect({ code, out }).toEqual({ code: 0, out: files.map((file) => `${file}: nothing found\n`).join('') });
  });

  it('writes findings as JSON', async () => {
    const rig = createRig({ stdin: captures[0]?.[1] ?? '' });
    const { code, out } = await rig.run('check', '-', '--json');
    expect(code).toBe(2);
    expect(JSON.parse(out)).toMatchObject({ file: '-', issues: [], findings: [{ code: 'NOT_THREE_BANDS' }] });
  });

  it('accepts what a client sends, and an expression alone', async () => {
    const { request } = JSON.parse(captures[0]?.[1] ?? '') as { request: { expression: object } };
    for (const json of [{ ...request, requestId: 'A' }, request.expression]) {
      const { code, out } = await createRig({ stdin: JSON.stringify(json) }).run('check', '-');
      expect({ code, out }).toMatchObject({ code: 2, out: expect.stringMatching(/NOT_THREE_BANDS/) });
    }
  });
});

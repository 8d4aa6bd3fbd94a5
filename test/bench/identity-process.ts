import { hash } from 'node:crypto';

import { type CheckedRequest, checkVideo } from '../../shared/expression/check/check-video.ts';
import { identifyJob, parseJobMessage } from '../../shared/message/job-message.ts';
import { readJsonData } from '../../shared/message/envelope.ts';
import { cpuMs } from '../cpu-time.ts';

/**
 * `node identity-process.ts REGION|NODES` prints the CPU time of each work in milliseconds, on average, as a JSON list: the
 * baseline, and then what the benchmark `identity` compares with it. In each round, every work is done once, one after another.
 */
const RUNS = 15;
/** The check's many small functions take longer to be compiled than the one loop that reads a message. */
const WARM_UP_RUNS = 20;

const rules = {
  defaultProject: 'my-project',
  allowedProjects: ['my-project'],
  allowedDestinations: ['gs://*'],
  graphCheck: 'reject',
} as const;

/** @returns milliseconds in the order of `works` */
function measure(expression: object): number[] {
  const data = messageOf(expression);
  // A new object for each round: the check remembers the bounds of coordinates that it has seen.
  let request: CheckedRequest | undefined;
  const read = (readJob: typeof identifyJob) => () => {
    const json = readJsonData({ data, problem: undefined });
    if (!('json' in json) || !('job' in readJob(json.json, rules))) {
      throw new Error('not a valid job');
    }
  };
  const parse = () => {
    JSON.parse(data.toString('utf8'));
    hash('sha256', data, 'hex');
  };
  const check = () => request && checkVideo(request);
  const works = [parse, read(identifyJob), check, read(parseJobMessage)] as const;
  // Sums, since some kernels count CPU time in steps of milliseconds.
  const sums = works.map(() => 0);
  for (let round = 0; round < WARM_UP_RUNS + RUNS; round += 1) {
    request = (JSON.parse(data.toString()) as { request: CheckedRequest }).request;
    const times = works.map(measureMs);
    if (round >= WARM_UP_RUNS) {
      times.forEach((time, index) => (sums[index] = (sums[index] ?? 0) + time));
    }
  }
  return sums.map((sum) => sum / RUNS);
}

function messageOf(expression: object): Buffer {
  const message = {
    jobKey: 'bench',
    request: {
      expression,
      description: 'bench',
      videoOptions: { framesPerSecond: 12, maxFrames: 2000, maxPixelsPerFrame: '100000000' },
      fileExportOptions: { fileFormat: 'MP4', cloudStorageDestination: { bucket: 'my-bucket' } },
    },
  };
  return Buffer.from(JSON.stringify(message));
}

function measureMs(work: () => void): number {
  const before = cpuMs();
  work();
  return cpuMs() - before;
}

const constant = (constantValue: unknown) => ({ constantValue });
const call = (functionName: string, args: Record<string, unknown>) => ({
  functionInvocationValue: { functionName, arguments: args },
});

/** A polygon of 46,000 points around a coast, as in an argument of `clipToBoundsAndScale`. */
function regionGraph(): object {
  const points = 46_000;
  const ring = Array.from({ length: points }, (_, index) => {
    const angle = (2 * Math.PI * (index % points)) / points;
    const radius = 3 + 0.2 * Math.sin(angle * 1013);
    return [9.1 + radius * Math.cos(angle), 45.4 + radius * Math.sin(angle)];
  });
  const polygon = call('GeometryConstructors.Polygon', {
    coordinates: constant([[...ring, ring[0]]]),
    evenOdd: constant(true),
  });
  const collection = call('ImageCollection.load', { id: constant('COPERNICUS/S2_SR_HARMONIZED') });
  const image = { argumentReference: '_MAPPING_VAR_0_0' };
  return {
    result: '0',
    values: {
      '0': call('Collection.map', {
        collection,
        baseAlgorithm: { functionDefinitionValue: { argumentNames: ['_MAPPING_VAR_0_0'], body: '1' } },
      }),
      '1': call('Image.clipToBoundsAndScale', { input: image, geometry: polygon, scale: constant(30) }),
    },
  };
}

/** 1,154 years of 26 nodes each, a third of which are in a mapped function that uses its argument. */
function manyNodesGraph(): object {
  const values: Record<string, unknown> = {};
  const images: unknown[] = [];
  for (let year = 0; year < 1_154; year += 1) {
    const body = `body${year}`;
    values[body] = call('Image.visualize', {
      image: call('Image.select', {
        input: call('Image.normalizedDifference', {
          input: { argumentReference: '_MAPPING_VAR_0_0' },
          bandNames: constant(['B8', 'B4', `B${year}`]),
        }),
        bandSelectors: constant(['nd']),
      }),
      min: constant(year / 10_000),
      max: constant(0.9),
      palette: constant([
        'ffffff',
        'ce7e45',
        'df923d',
        'f1b555',
        '99b718',
        '207401',
        '012e01',
        '001c00',
        '011301',
      ]),
    });
    const filtered = call('Collection.filter', {
      collection: call('ImageCollection.load', { id: constant('LANDSAT/LC08/C02/T1_L2') }),
      filter: call('Filter.dateRangeContains', {
        leftValue: call('DateRange', {
          start: constant(`${1000 + year}-01-01`),
          end: constant(`${1001 + year}-01-01`),
        }),
        rightField: constant('system:time_start'),
      }),
    });
    const mapped = call('Collection.map', {
      collection: filtered,
      baseAlgorithm: { functionDefinitionValue: { argumentNames: ['_MAPPING_VAR_0_0'], body } },
    });
    images.push(
      call('Element.set', {
        object: call('reduce.median', { collection: mapped }),
        key: constant('system:time_start'),
        value: call('Date.millis', { date: constant(`${1000 + year}-07-01`) }),
      }),
    );
  }
  values['0'] = call('ImageCollection.fromImages', { images: { arrayValue: { values: images } } });
  return { result: '0', values };
}

const graphs = { REGION: regionGraph, NODES: manyNodesGraph };
console.log(JSON.stringify(measure(graphs[process.argv[2] as keyof typeof graphs]())));

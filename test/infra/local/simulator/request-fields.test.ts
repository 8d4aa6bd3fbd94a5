import { describe, expect, it } from 'vitest';
import { z } from 'zod';

import { fieldsOf } from '../../../../docs/generate/fields.ts';
import { createSimulator, simulatorFetch } from '../../../../infra/local/simulator/index.ts';
import { requestFields } from '../../../../infra/local/simulator/validation.ts';
import { jobMessageSchema } from '../../../../shared/message/job-schema.ts';
import { exportRequest } from './requests.ts';

/*
 * The simulator validates requests independently of the service: it is an oracle. These tests only make sure that it knows
 * the same fields, and checks each of them. test/message/request-fields.test.ts makes sure that the service sends each field.
 */

const ofService = fieldsOf(jobMessageSchema(z.unknown()), 'input', ['request.expression'])
  .map(({ path }) => path)
  .filter((path) => path.startsWith('request.'))
  .map((path) => path.replace('request.', ''));
const ofSimulator = Object.entries<readonly string[]>(requestFields).flatMap(([parent, names]) =>
  names.map((name) => (parent === '' ? name : `${parent}.${name}`)),
);
/** Fields of Earth Engine that a job message must leave out: the service sets the first, and the second is internal. */
const onlyEarthEngine: ReadonlySet<string> = new Set(['requestId', 'maxWorkers']);

const leaves = ofService.filter((path) => !(path in requestFields));

const expression = { result: '0', values: { '0': { constantValue: 1 } } };
/** A valid value of each field, none of them a default. */
const samples: Readonly<Record<string, unknown>> = {
  expression,
  description: 'sample',
  'videoOptions.framesPerSecond': 12,
  'videoOptions.maxFrames': 7,
  'videoOptions.maxPixelsPerFrame': '1000',
  'fileExportOptions.fileFormat': 'MP4',
  'fileExportOptions.cloudStorageDestination.bucket': 'my-bucket',
  'fileExportOptions.cloudStorageDestination.filenamePrefix': 'videos/sample',
  'fileExportOptions.cloudStorageDestination.permissions': 'PUBLIC',
  'fileExportOptions.cloudStorageDestination.bucketCorsUris': ['https://example.com'],
  'fileExportOptions.driveDestination.folder': 'videos',
  'fileExportOptions.driveDestination.filenamePrefix': 'sample',
  workloadTag: 'weekly',
  priority: 7,
};

type Json = Record<string, unknown>;

/** A minimal request to the destination of the field, with the field set to the value. */
function requestWith(path: string, value: unknown): Json {
  const destination = path.includes('driveDestination')
    ? { driveDestination: {} }
    : { cloudStorageDestination: { bucket: 'my-bucket' } };
  const request: Json = {
    expression,
    videoOptions: {},
    fileExportOptions: { fileFormat: 'MP4', ...destination },
  };
  const names = path.split('.');
  let parent = request;
  for (const name of names.slice(0, -1)) {
    parent = parent[name] as Json;
  }
  parent[names.at(-1) ?? ''] = value;
  return request;
}

async function statusOf(body: Uint8Array<ArrayBuffer>): Promise<number> {
  const url = 'http://simulator/v1/projects/p/video:export';
  return (await simulatorFetch(createSimulator())(url, { method: 'POST', body })).status;
}

describe('the fields of a request', () => {
  it('are the same for the service and for the simulator', () => {
    expect(ofSimulator.filter((path) => !onlyEarthEngine.has(path)).sort()).toEqual(ofService.sort());
  });

  it('each have a sample here', () => {
    expect(Object.keys(samples).sort()).toEqual([...leaves].sort());
  });

  it.each(leaves)('%s: the simulator accepts a valid value and refuses an invalid one', async (path) => {
    expect(await statusOf(exportRequest(requestWith(path, samples[path])))).toBe(200);
    expect(await statusOf(exportRequest(requestWith(path, {})))).toBe(400);
  });
});

import { describe, expect, expectTypeOf, it } from 'vitest';
import type { z } from 'zod';

import { readExportRequest } from '../../infra/local/simulator/validation.ts';
import { serializeRequest } from '../../shared/message/identity.ts';
import { parseJobMessage } from '../../shared/message/job-message.ts';
import type { jobMessageSchema } from '../../shared/message/job-schema.ts';
import type { VideoRequest } from '../../shared/model/job.ts';

/** A new field of a request has to be added to the schema, to `VideoRequest`, to what is sent, and to the simulator. */

/** A type with every field present and writable. */
type Whole<T> = T extends readonly (infer Item)[]
  ? Whole<Item>[]
  : T extends object
    ? { -readonly [Field in keyof T]-?: Whole<Exclude<T[Field], undefined>> }
    : T;

type Parsed = z.output<ReturnType<typeof jobMessageSchema<z.ZodType<VideoRequest['expression']>>>>['request'];
type Options = Whole<VideoRequest['fileExportOptions']>;

const destinations: Omit<Options, 'fileFormat'> = {
  driveDestination: { folder: 'videos', filenamePrefix: 'a/b' },
  cloudStorageDestination: {
    bucket: 'my-bucket',
    filenamePrefix: 'a/b',
    permissions: 'PUBLIC',
    bucketCorsUris: ['*'],
  },
};

const request: Omit<Whole<VideoRequest>, 'fileExportOptions'> = {
  expression: {
    result: '0',
    values: { '0': { functionInvocationValue: { functionName: 'f', arguments: {} } } },
  },
  description: 'a video',
  videoOptions: { framesPerSecond: 12, maxFrames: 100, maxPixelsPerFrame: '1000' },
  workloadTag: 'tag',
  priority: 7,
};

describe('a request with every field', () => {
  it('has the same fields in the schema and in VideoRequest', () => {
    expectTypeOf<Whole<Parsed>>().toEqualTypeOf<Whole<VideoRequest>>();
  });

  it.each(Object.entries(destinations))('and %s is sent unchanged and accepted', (name, destination) => {
    const whole = { ...request, fileExportOptions: { fileFormat: 'MP4', [name]: destination } };
    const rules = {
      defaultProject: 'p-1',
      allowedProjects: ['*'],
      allowedDestinations: ['gs://*', 'drive:*'],
    };
    const reading = parseJobMessage({ request: whole }, rules);
    if ('issues' in reading) {
      throw new Error(JSON.stringify(reading.issues));
    }
    expect(reading.job.request).toEqual(whole);
    const bytes = serializeRequest(reading.job.request, reading.job.recordId);
    expect(readExportRequest(bytes)).toMatchObject({ requestId: reading.job.recordId, priority: 7 });
  });
});

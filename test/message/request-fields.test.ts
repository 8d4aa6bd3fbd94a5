import { describe, expectTypeOf, it } from 'vitest';
import type { z } from 'zod';

import type { jobMessageSchema } from '../../shared/message/job-schema.ts';
import type { VideoRequest } from '../../shared/model/job.ts';

/** A type with every field present and writable. */
type Whole<T> = T extends readonly (infer Item)[]
  ? Whole<Item>[]
  : T extends object
    ? { -readonly [Field in keyof T]-?: Whole<Exclude<T[Field], undefined>> }
    : T;

type Parsed = z.output<ReturnType<typeof jobMessageSchema<z.ZodType<VideoRequest['expression']>>>>['request'];

describe('a request', () => {
  // `npm run types` fails otherwise. That each field is sent is in the tests of the simulator.
  it('has the same fields in the schema and in VideoRequest', () => {
    expectTypeOf<Whole<Parsed>>().toEqualTypeOf<Whole<VideoRequest>>();
  });
});

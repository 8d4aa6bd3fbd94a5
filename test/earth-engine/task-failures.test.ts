import { describe, expect, it } from 'vitest';

import { judgeFailure, knownFailures } from '../../shared/earth-engine/task-failures.ts';

/** Messages of failed tasks as they were seen in the field, and whether the same request can succeed when it runs again. */
const seen: readonly (readonly [message: string, canSucceed: boolean])[] = [
  [
    'Exported bands must have compatible data types; found inconsistent types: Int16 and Byte. (Error code: 3)',
    false,
  ],
  ["Image.select: Pattern 'B1' did not match any bands.", false],
  ['Image.multiply: If one image has no bands, the other must also have no bands. Got 1 and 0.', false],
  ['Expected a homogeneous image collection, but an image with incompatible bands was encountered', false],
  ['Expression evaluates to an empty image collection.', false],
  ['Unable to transform edge (-180, 0) to (180, 0)', false],
  ['User memory limit exceeded.', false],
  ['Computation timed out.', false],
  ['Internal error.', true],
  ['Backend error', true],
  ['Execution failed; out of memory', true],
];

describe('a failed task', () => {
  it.each(seen)('with the message "%s" is retryable: %s', (message, canSucceed) => {
    expect(judgeFailure(3, message).retryable).toBe(canSucceed);
    expect(judgeFailure(13, message).retryable).toBe(canSucceed);
  });

  it('with code 3 and an unknown message is deterministic', () => {
    expect(judgeFailure(3, 'Something new.')).toEqual({
      retryable: false,
      advice: 'Correct the request: Earth Engine found its expression or options invalid.',
    });
  });

  it('with another code and an unknown message has an unknown cause, and is not retryable', () => {
    expect(judgeFailure(13, 'Something new.')).toMatchObject({
      retryable: false,
      advice: expect.stringContaining('The cause is unknown') as string,
    });
  });
});

describe('the table of failures', () => {
  it.each(knownFailures)('classifies its example "$example" by its own row', (known) => {
    expect(judgeFailure(3, known.example)).toEqual({ retryable: known.retryable, advice: known.advice });
    expect(knownFailures.find(({ pattern }) => pattern.test(known.example))).toBe(known);
  });

  it.each(knownFailures)('has a source and one sentence of advice for "$example"', ({ source, advice }) => {
    expect(source).not.toBe('');
    expect(advice).toMatch(/^[A-Z][^.]+\.$/);
  });
});

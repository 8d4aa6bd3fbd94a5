import { rpcCodes } from '../rpc-codes.ts';

/** Why tasks fail at Earth Engine, by the text of the error: whether a retry can help, and what the user should do. */

export interface KnownFailure {
  /** What the message contains. Earth Engine often appends "(Error code: 3)". */
  readonly pattern: RegExp;
  /** A message as it was seen. */
  readonly example: string;
  readonly source: string;
  /** Whether the same request can succeed when it runs again. */
  readonly retryable: boolean;
  /** One sentence. */
  readonly advice: string;
}

const frames =
  'Make every frame an 8-bit image with the same three bands, for example with visualize and three bands, or one band and a palette.';
const smaller =
  'Use fewer or smaller frames, or a simpler expression; a retry of the same request rarely succeeds.';
const transient = 'Retry the job; Earth Engine itself has already tried it up to five times.';

const report = 'field report';
const ungraded = 'field report; the same graph meets it every time';

/** The first match decides. Texts without a source do not belong here: an unknown failure is reported as unknown. */
export const knownFailures: readonly KnownFailure[] = [
  {
    pattern: /exported bands must have compatible data types/i,
    example:
      'Exported bands must have compatible data types; found inconsistent types: Int16 and Byte. (Error code: 3)',
    source: ungraded,
    retryable: false,
    advice: frames,
  },
  {
    pattern: /pattern '.*' did not match any bands/i,
    example: "Image.select: Pattern 'B1' did not match any bands.",
    source: ungraded,
    retryable: false,
    advice: 'Select a band that every image of the collection has, or filter out the images without it.',
  },
  {
    pattern: /if one image has no bands, the other must also have no bands/i,
    example: 'Image.multiply: If one image has no bands, the other must also have no bands. Got 1 and 0.',
    source: ungraded,
    retryable: false,
    advice: 'Filter out images without bands: a composite of an empty collection has none.',
  },
  {
    pattern: /homogeneous image collection|incompatible bands/i,
    example: 'Expected a homogeneous image collection, but an image with incompatible bands was encountered.',
    source: ungraded,
    retryable: false,
    advice: frames,
  },
  {
    pattern: /evaluates to an empty image collection/i,
    example: 'Expression evaluates to an empty image collection.',
    source: `${report} (thumbnails)`,
    retryable: false,
    advice: 'Widen the dates or the region, or wait until the data have arrived.',
  },
  {
    pattern: /unable to transform edge/i,
    example: 'Unable to transform edge (180.000000, 90.000000 to 180.000000, 89.000000) from EPSG:4326.',
    source: ungraded,
    retryable: false,
    advice: 'Clip the region to where the projection is defined, or use another projection.',
  },
  {
    pattern: /export too large/i,
    example:
      'Export too large: specified 12345678901 pixels (max: 100000000). Specify higher maxPixels value if you intend to export a large area.',
    source: 'google/earthengine-api#9',
    retryable: false,
    advice: 'Reduce dimensions or scale, or raise maxPixelsPerFrame.',
  },
  {
    pattern: /user memory limit exceeded/i,
    example: 'User memory limit exceeded.',
    source: report,
    retryable: false,
    advice: smaller,
  },
  {
    pattern: /computation timed out/i,
    example: 'Computation timed out.',
    source: report,
    retryable: false,
    advice: smaller,
  },
  {
    pattern: /out of memory/i,
    example: 'Execution failed; out of memory.',
    source: `${report}: a worker ran out of memory`,
    retryable: true,
    advice: 'Retry the job once; if it fails the same way, use fewer or smaller frames.',
  },
  {
    pattern: /\binternal error\b/i,
    example: 'Internal error.',
    source: 'davemlz/eemont#84',
    retryable: true,
    advice: transient,
  },
  { pattern: /backend error/i, example: 'Backend error', source: report, retryable: true, advice: transient },
  {
    pattern: /deadline exceeded|service unavailable|read timed out/i,
    example: 'Deadline exceeded',
    source: report,
    retryable: true,
    advice: transient,
  },
];

export type FailureVerdict = Pick<KnownFailure, 'retryable' | 'advice'>;

/**
 * What a task's failure means. Only a failure that is known to be transient is retryable: rendering a deterministic one again
 * spends EECU for nothing.
 *
 * @param code google.rpc code of the operation's error
 */
export function judgeFailure(code: number, message: string): FailureVerdict {
  const known = knownFailures.find(({ pattern }) => pattern.test(message));
  if (known) {
    return { retryable: known.retryable, advice: known.advice };
  }
  return code === rpcCodes.INVALID_ARGUMENT
    ? {
        retryable: false,
        advice: 'Correct the request: Earth Engine found its expression or options invalid.',
      }
    : {
        retryable: false,
        advice:
          'The cause is unknown: read the message, and retry with --force if the failure looks temporary.',
      };
}

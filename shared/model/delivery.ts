import { z } from 'zod';

/** Whether the video of a job that succeeded arrived, and plays. */
export const deliveryStates = [
  /** Not looked at yet, or not there yet. */
  'PENDING',
  'VERIFIED',
  /** It is there, but it is not what was requested. */
  'SUSPECT',
  'MISSING',
  /** More than one export may have written it. */
  'AMBIGUOUS',
  /** The service cannot look, or does not. */
  'UNCHECKED',
] as const;
export type DeliveryState = (typeof deliveryStates)[number];

/** Every code, by the state that it explains; those of VERIFIED are about the copy to `deliverTo`. */
export const deliveryProblems = {
  VERIFIED: ['COPY_DENIED', 'COPY_NAME_TAKEN', 'COPY_FAILED'],
  SUSPECT: [
    'EMPTY',
    'NOT_A_VIDEO',
    'TRUNCATED',
    'UNREADABLE',
    'ONE_FRAME',
    'WRONG_RATE',
    'TOO_SMALL',
    'WRONG_CHECKSUM',
  ],
  MISSING: ['NOT_FOUND', 'NO_BUCKET'],
  AMBIGUOUS: ['SHARED_PREFIX', 'SEVERAL_FILES'],
  UNCHECKED: ['SWITCHED_OFF', 'DRIVE', 'NOT_ALLOWED', 'DENIED', 'UNAVAILABLE', 'LONG_LIST'],
} as const;
export type DeliveryProblemCode = (typeof deliveryProblems)[keyof typeof deliveryProblems][number];

const problemCodes = Object.values(deliveryProblems).flat() as [
  DeliveryProblemCode,
  ...DeliveryProblemCode[],
];

const deliveryProblem = z.object({ code: z.enum(problemCodes), message: z.string() });
export type DeliveryProblem = z.infer<typeof deliveryProblem>;

export const deliverySchema = z
  .object({
    state: z.enum(deliveryStates),
    /** When it was decided, or last looked for. */
    checkedAt: z.date().optional(),
    /** `gs://bucket/name` */
    object: z.string().optional(),
    generation: z.string().optional(),
    bytes: z.number().optional(),
    /** Base64, as Cloud Storage reports it. */
    crc32c: z.string().optional(),
    frames: z.number().optional(),
    framesPerSecond: z.number().optional(),
    width: z.number().optional(),
    height: z.number().optional(),
    durationSeconds: z.number().optional(),
    /** As in RFC 6381: `avc1.640028`. */
    codec: z.string().optional(),
    problems: z.array(deliveryProblem),
  })
  .describe(
    'Whether the video arrived and plays: `state`, `checkedAt`, `object`, `generation`, `bytes`, `crc32c`, `frames`, `framesPerSecond`, `width`, `height`, `durationSeconds`, `codec`, and `problems`, a list of `code` and `message`',
  );
export type Delivery = z.infer<typeof deliverySchema>;

/** What the request says about its video, as far as the file can be compared with it. */
export const requestedVideoSchema = z
  .object({
    framesPerSecond: z.number().optional(),
    /** In pixels, if the expression sets it as a constant. */
    longerSide: z.number().optional(),
  })
  .describe('What the request says about its video: `framesPerSecond`, and `longerSide` in pixels');
export type RequestedVideo = z.infer<typeof requestedVideoSchema>;

/** How much the request computes, as far as it says so: estimates compare jobs of one shape by it. */
export const extentSchema = z
  .object({
    frames: z.number().positive().optional(),
    /** Of a frame: in proportion to it if only one side or a scale is known. */
    pixels: z.number().positive().optional(),
    /** The longest range of dates. */
    days: z.number().positive().optional(),
    /** The largest region. */
    squareKilometers: z.number().positive().optional(),
  })
  .describe(
    'How much the request computes, as far as it says so: `frames`, `pixels` of a frame, `days`, and `squareKilometers`',
  );
export type Extent = z.infer<typeof extentSchema>;

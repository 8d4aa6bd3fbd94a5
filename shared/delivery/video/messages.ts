/** What the poller and its workers tell each other. */

/** A part of a file, from `start` on. */
export interface Chunk {
  readonly start: number;
  readonly data: Uint8Array;
  /** Nothing comes after it. */
  readonly isLast: boolean;
}

/** What an MP4 file says about its video. */
export interface VideoFacts {
  readonly frames: number;
  readonly framesPerSecond: number | undefined;
  readonly durationSeconds: number;
  readonly width: number;
  readonly height: number;
  /** As in RFC 6381: `avc1.640028`. */
  readonly codec: string;
  /** Where the last frame ends. In a file that was cut short, this is after its end. */
  readonly endsAt: number;
}

export type VideoReading =
  | { readonly video: VideoFacts }
  /** `TRUNCATED`: it begins like an MP4 file, but its index is missing or damaged. */
  | { readonly problem: 'NOT_A_VIDEO' | 'TRUNCATED' };

/** The worker's reply to a chunk: where to read on, or the result. */
export type Reply = { readonly next: number } | VideoReading;

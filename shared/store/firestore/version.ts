import { Timestamp } from '@google-cloud/firestore';

/**
 * A record's field beyond its schema: the largest number of parts that its request has had, so that the write that makes
 * them expire does not have to read them. A shorter request leaves parts behind, which expire with the others.
 */
export const PARTS_FIELD = 'requestParts';

/** A version holds what the next write needs: when the document was written, and its PARTS_FIELD. */
export const formatVersion = ({ seconds, nanoseconds }: Timestamp, parts: number): string =>
  `${seconds} ${nanoseconds} ${parts}`;

export function updateTimeOf(version: string): Timestamp {
  const [seconds = NaN, nanoseconds = NaN] = version.split(' ').map(Number);
  return new Timestamp(seconds, nanoseconds);
}

export const partsIn = (version: string): number => Number(version.split(' ')[2]);

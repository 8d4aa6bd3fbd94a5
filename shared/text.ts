/** Text as the service stores, logs, and shows it. Text from outside is truncated, so that all of it is bounded. */

/** The first characters of a text. Made well formed after the cut, which may halve a surrogate pair. */
export function truncate(text: string, characters: number): string {
  return text.slice(0, characters).toWellFormed();
}

/** The same with an ellipsis, for text that people read. Shorter text is returned unchanged. */
export function abbreviate(text: string, characters: number): string {
  return text.length > characters ? `${truncate(text, characters)}…` : text;
}

/** The longest well-formed beginning of a text that fits into a number of bytes of UTF-8. */
export function truncateToBytes(text: string, bytes: number): string {
  const kept = new Uint8Array(bytes);
  const { written } = new TextEncoder().encodeInto(text, kept);
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(kept.subarray(0, written));
}

/** As one word of a POSIX shell, whatever it contains. */
export const shellQuoted = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`;

const MINUTE = 60;
const HOUR = 3600;
const DAY = 86_400;

/** `42 s`, `5 min`, `3 h`, `12 d`. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 2 * MINUTE) {
    return `${seconds} s`;
  }
  if (seconds < 2 * HOUR) {
    return `${Math.round(seconds / MINUTE)} min`;
  }
  if (seconds < 2 * DAY) {
    return `${Math.round(seconds / HOUR)} h`;
  }
  return `${Math.round(seconds / DAY)} d`;
}

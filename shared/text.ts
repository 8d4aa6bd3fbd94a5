/** Truncates text from outside, so that what is stored, logged and shown is bounded. */

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

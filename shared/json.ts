/** JSON from outside: which values the service can read, copy and send on. */

export type JsonObject = Readonly<Record<string, unknown>>;

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Half a surrogate pair has no UTF-8 encoding, so it can be neither sent nor hashed unchanged. */
export const brokenText = 'found text with half a surrogate pair; allowed: text that can be encoded in UTF-8';

/** JSON.parse reads 1e400 as Infinity, which would be sent as null. */
export const infiniteNumber = 'found a number beyond ±1.8e308; allowed: a double';

export const unusableName =
  'found a name that cannot be used; allowed: any but __proto__, encodable in UTF-8';

/** `__proto__` would set a prototype instead of a field wherever an object is copied. */
export function isUsableName(name: string): boolean {
  return name !== '__proto__' && name.isWellFormed();
}

/** A value within JSON that is walked with a list instead of recursion: hostile JSON may be deeper than the stack. */
export interface JsonNode {
  readonly value: unknown;
  readonly key: string | number;
  readonly parent: JsonNode | undefined;
}

/** The keys from the root to a value. Made only if needed, since that costs as much as the value is deep. */
export function pathOf(node: JsonNode): (string | number)[] {
  const path: (string | number)[] = [];
  // The root's own key is not part of the path.
  for (let at: JsonNode | undefined = node; at?.parent; at = at.parent) {
    path.push(at.key);
  }
  return path.reverse();
}

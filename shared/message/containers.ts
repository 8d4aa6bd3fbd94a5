/**
 * An empty array takes 3 bytes of JSON and 40 bytes of memory, so a message of a few megabytes can take more memory than an
 * instance has. The expressions of Earth Engine's clients stay below this bound: the smallest objects and arrays that a large
 * one consists of are points, of at least 14 bytes each, so a message of 10 MB has at most 700,000.
 */
export const MAX_CONTAINERS = 1_000_000;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_ARRAY = 0x5b;
const OPEN_OBJECT = 0x7b;

/** Whether JSON has more objects and arrays than the bound, without parsing it. */
export function hasTooManyContainers(json: Uint8Array): boolean {
  // Each takes at least two bytes.
  if (json.length < 2 * MAX_CONTAINERS) {
    return false;
  }
  let containers = 0;
  let inText = false;
  for (let index = 0; index < json.length && containers <= MAX_CONTAINERS; index += 1) {
    const byte = json[index];
    if (byte === QUOTE) {
      inText = !inText;
    } else if (inText) {
      index += byte === BACKSLASH ? 1 : 0;
    } else if (byte === OPEN_ARRAY || byte === OPEN_OBJECT) {
      containers += 1;
    }
  }
  return containers > MAX_CONTAINERS;
}

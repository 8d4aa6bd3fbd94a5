/** Names of arguments. */

/** Programs have fewer arguments of a function than this. */
const MANY_NAMES = 16;

const indexes = new WeakMap<readonly string[], ReadonlyMap<string, number>>();

/** The index of a name in a list that does not change; -1 if it is not there. Hostile lists have a million names. */
export function indexOfName(names: readonly string[], name: string): number {
  if (names.length < MANY_NAMES) {
    return names.indexOf(name);
  }
  const index = indexes.get(names) ?? new Map(names.map((each, position) => [each, position]));
  indexes.set(names, index);
  return index.get(name) ?? -1;
}

/** Whether two functions have an argument of the same name, or so many arguments that comparing them takes long. */
export const mayShareName = (names: readonly string[], others: readonly string[]): boolean =>
  names.length >= MANY_NAMES || others.length >= MANY_NAMES || names.some((name) => others.includes(name));

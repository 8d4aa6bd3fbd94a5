import type { IssueList, Path } from '../issues.ts';

/** Far more than anything has that this service or Earth Engine defines, except a graph and the values of an axis. */
const MAX_MEMBERS = 1000;

/**
 * Adds an issue if a value has too many members. It must not be parsed then: a schema would check each member, which takes
 * seconds.
 *
 * @param pathOf called only then: it may cost as much as the value is deep
 */
export function isTooWide(value: unknown, pathOf: () => Path, issues: IssueList): boolean {
  if (typeof value !== 'object' || value === null) {
    return false;
  }
  const members = Array.isArray(value) ? value.length : Object.keys(value).length;
  if (members <= MAX_MEMBERS) {
    return false;
  }
  issues.add(pathOf(), `has ${members} members; allowed: at most ${MAX_MEMBERS}`);
  return true;
}

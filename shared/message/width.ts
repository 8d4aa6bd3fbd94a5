import type { IssueList, Path } from '../issues.ts';

/** Nothing that this service or EE defines has a hundredth of it, but for a graph and the values of an axis. */
const MAX_MEMBERS = 1000;

/**
 * Whether a value has so many members that they are not looked at one by one: a schema would, and take seconds to tell what
 * is wrong with each. Then that is the issue.
 *
 * @param pathOf asked only then: it may cost as much as the value is deep
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

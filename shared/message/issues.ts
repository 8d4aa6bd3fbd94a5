import type { Issue } from './rejected-message.ts';

/** Where in a message something is, from its root: `['request', 'expression', 'values', '3']`. */
export type Path = readonly (string | number)[];

/** A message with a million wrong fields must not become a document of a million issues. */
const ISSUES_SHOWN = 50;
const SHOWN_CHARACTERS = 80;

const identifier = /^[A-Za-z_$][\w$]*$/;

/** The path as a reader would write it: `request.expression.values["3"].arrayValue.values[0]`. */
export function formatPath(path: Path): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else if (!identifier.test(part) || part.length > SHOWN_CHARACTERS) text += `[${quote(part)}]`;
    else text += text === '' ? part : `.${part}`;
  }
  return text;
}

/** A short text for any JSON value, of bounded cost whatever its size or depth. */
export function describe(value: unknown): string {
  if (typeof value === 'string') return quote(value);
  if (Array.isArray(value))
    return value.length === 1 ? 'an array of 1 item' : `an array of ${value.length} items`;
  if (typeof value === 'object' && value !== null) {
    const keys = Object.keys(value);
    if (keys.length === 0) return 'an empty object';
    return `an object with ${cut(keys.slice(0, 5).map(cutKey).join(', '))}${keys.length > 5 ? ', …' : ''}`;
  }
  return String(value);
}

export function quote(text: string): string {
  return JSON.stringify(cut(text));
}

function cut(text: string): string {
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text;
}

function cutKey(key: string): string {
  return key.length > 30 ? `${key.slice(0, 30)}…` : key;
}

/** Collects all issues of one message; beyond a bound they are only counted. */
export interface IssueList {
  add(path: Path, message: string): void;
  readonly count: number;
  /** What was added, in order, without repetitions. */
  list(): Issue[];
}

export function createIssueList(): IssueList {
  const issues: Issue[] = [];
  let count = 0;
  return {
    add(path, message) {
      if (count < ISSUES_SHOWN) {
        const issue = { path: formatPath(path), message };
        if (issues.some((known) => known.path === issue.path && known.message === issue.message)) return;
        issues.push(issue);
      }
      count += 1;
    },
    get count() {
      return count;
    },
    list() {
      const more = count - issues.length;
      return more > 0 ? [...issues, { path: '', message: `and ${more} more` }] : [...issues];
    },
  };
}

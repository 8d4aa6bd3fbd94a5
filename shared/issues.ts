import type { Issue } from './model/rejected-message.ts';
import { abbreviate } from './text.ts';

/** The location of something in a message, from its root: `['request', 'expression', 'values', '3']`. */
export type Path = readonly (string | number)[];

/** A message with a million invalid fields must not become a document of a million issues. */
const ISSUES_SHOWN = 50;
/** A job's own issues and its graph's, each with a last one that counts the rest. */
const ISSUES_STORED = 2 * (ISSUES_SHOWN + 1);
const ISSUES_BYTES = 100_000;
/** Counting further would cost a walk through all of the message. */
const ISSUES_COUNTED = 1000;
const SHOWN_CHARACTERS = 80;
const PATH_PARTS = 20;
const PATH_CHARACTERS = 300;
const MESSAGE_CHARACTERS = 1000;

const identifier = /^[A-Za-z_$][\w$]*$/;

/**
 * The path as a reader would write it: `request.expression.values["3"].arrayValue.values[0]`. A long path is cut in the
 * middle, since its two ends are the most useful.
 */
export function formatPath(path: Path): string {
  if (path.length <= PATH_PARTS) {
    return cutMiddle(formatParts(path));
  }
  const half = PATH_PARTS / 2;
  return cutMiddle(`${formatParts(path.slice(0, half))}…${formatParts(path.slice(-half))}`);
}

function formatParts(path: Path): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') {
      text += `[${part}]`;
    } else if (part.length > SHOWN_CHARACTERS || !identifier.test(part)) {
      text += `[${quote(part)}]`;
    } else {
      text += text === '' ? part : `.${part}`;
    }
  }
  return text;
}

function cutMiddle(text: string): string {
  if (text.length <= PATH_CHARACTERS) {
    return text;
  }
  const half = Math.floor(PATH_CHARACTERS / 2);
  return `${text.slice(0, half)}…${text.slice(1 - half)}`.toWellFormed();
}

/** Describes any JSON value in a short text, at a bounded cost whatever its size or depth. */
export function describe(value: unknown): string {
  if (typeof value === 'string') {
    return quote(value);
  }
  if (Array.isArray(value)) {
    return value.length === 1 ? 'an array of 1 item' : `an array of ${value.length} items`;
  }
  if (typeof value === 'object' && value !== null) {
    const keys = Object.keys(value);
    if (keys.length === 0) {
      return 'an empty object';
    }
    return `an object with ${abbreviate(
      keys
        .slice(0, 5)
        .map((key) => abbreviate(key, 30))
        .join(', '),
      SHOWN_CHARACTERS,
    )}${keys.length > 5 ? ', …' : ''}`;
  }
  return String(value);
}

export function quote(text: string): string {
  return JSON.stringify(abbreviate(text, SHOWN_CHARACTERS));
}

/** The wording of an issue: what the message has, and what it may have instead. */
export function mismatch(found: unknown, allowed: string): string {
  return found === undefined
    ? `is missing; allowed: ${allowed}`
    : `found ${describe(found)}; allowed: ${allowed}`;
}

/** An issue that a document can hold, whatever the message consists of: of bounded size, and encodable in UTF-8. */
export function storableIssue({ path, message }: Issue): Issue {
  return {
    path: cutMiddle(path).toWellFormed(),
    message: abbreviate(message, MESSAGE_CHARACTERS).toWellFormed(),
  };
}

/** As many issues as a document has room for besides its other fields, and a last one that counts the rest. */
export function storableIssues(issues: readonly Issue[]): Issue[] {
  const stored: Issue[] = [];
  let bytes = 0;
  for (const issue of issues.slice(0, ISSUES_STORED).map(storableIssue)) {
    bytes += Buffer.byteLength(issue.path) + Buffer.byteLength(issue.message);
    if (bytes > ISSUES_BYTES) {
      break;
    }
    stored.push(issue);
  }
  const more = issues.length - stored.length;
  return more > 0 ? [...stored, { path: '', message: `and ${more} more` }] : stored;
}

/** Collects the issues of one message. Beyond a bound they are only counted. */
export interface IssueList {
  add(path: Path, message: string): void;
  readonly count: number;
  /** There are so many that the search for more may stop. */
  readonly isFull: boolean;
  /** The issues in the order in which they were added, without duplicates. */
  list(): Issue[];
}

export function createIssueList(): IssueList {
  const issues: Issue[] = [];
  let count = 0;
  return {
    add(path, message) {
      if (count < ISSUES_SHOWN) {
        const issue = storableIssue({ path: formatPath(path), message });
        if (issues.some((known) => known.path === issue.path && known.message === issue.message)) {
          return;
        }
        issues.push(issue);
      }
      count += 1;
    },
    get count() {
      return count;
    },
    get isFull() {
      return count >= ISSUES_COUNTED;
    },
    list() {
      const more = count - issues.length;
      const atLeast = count >= ISSUES_COUNTED ? 'at least ' : '';
      return more > 0 ? [...issues, { path: '', message: `and ${atLeast}${more} more` }] : [...issues];
    },
  };
}

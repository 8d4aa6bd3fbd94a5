import type { z } from 'zod';

import { didYouMean } from '../did-you-mean.ts';
import { type IssueList, mismatch, type Path } from '../issues.ts';
import { unusableName } from '../json.ts';

const ALLOWED_HERE = 'allowed here: ';

/** The message of a schema about unknown fields. */
export const allowedHere = (names: readonly string[]): string => `${ALLOWED_HERE}${names.join(', ')}`;

const knownHere = (message: string): string[] =>
  message.startsWith(ALLOWED_HERE) ? message.slice(ALLOWED_HERE.length).split(', ') : [];

/**
 * zod's issues in the wording of this service: the path, what was found, and what is allowed. The messages of each schema
 * name what is allowed.
 *
 * @param unknownField a better message for an unknown field, if there is one
 */
export function addZodIssues(
  error: z.ZodError,
  json: unknown,
  issues: IssueList,
  unknownField: (path: Path) => string | undefined = () => undefined,
): void {
  for (const issue of error.issues) {
    const path = issue.path.map((part) => (typeof part === 'number' ? part : String(part)));
    if (issue.code === 'unrecognized_keys') {
      for (const key of issue.keys) {
        const field = [...path, key];
        const message =
          unknownField(field) ??
          `is not a field${didYouMean(key, knownHere(issue.message))}; ${issue.message}`;
        // `__proto__` is also searched for in the whole message: with the same text, the two issues become one.
        issues.add(field, key === '__proto__' ? unusableName : message);
      }
      continue;
    }
    const allowed =
      issue.code === 'invalid_key' ? (issue.issues[0]?.message ?? issue.message) : issue.message;
    issues.add(
      path,
      issue.code === 'invalid_key'
        ? `found this name; allowed: ${allowed}`
        : mismatch(valueAt(json, path), allowed),
    );
  }
}

/** The value at a path in JSON, own fields only. */
export function valueAt(json: unknown, path: Path): unknown {
  let value = json;
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) {
      return undefined;
    }
    value = (value as Record<string | number, unknown>)[part];
  }
  return value;
}

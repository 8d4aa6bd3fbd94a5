import type { z } from 'zod';

import { type IssueList, mismatch, type Path } from '../issues.ts';
import { unusableName } from '../json.ts';

/**
 * zod's issues in the words of this service: where, what was found, what is allowed. Each schema's messages say what is
 * allowed.
 *
 * @param unknownField says more of a field that should not be there, where there is more to say
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
        const message = unknownField(field) ?? `is not a field; ${issue.message}`;
        // Told in the same words by who looks for it everywhere, so that it is told once.
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

/** What stands at a path in JSON, own fields only. */
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

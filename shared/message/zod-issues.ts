import type { z } from 'zod';

import { describe, type IssueList, type Path } from './issues.ts';

/**
 * zod's issues in the words of this service: where, what was found, what is allowed. Each schema's messages say what is
 * allowed.
 */
export function addZodIssues(error: z.ZodError, json: unknown, issues: IssueList): void {
  for (const issue of error.issues) {
    const path = issue.path.map((part) => (typeof part === 'number' ? part : String(part)));
    if (issue.code === 'unrecognized_keys') {
      for (const key of issue.keys) issues.add([...path, key], `is not a field; ${issue.message}`);
      continue;
    }
    if (issue.code === 'invalid_key') {
      issues.add(path, `found this name; allowed: ${issue.issues[0]?.message ?? issue.message}`);
      continue;
    }
    const found = valueAt(json, path);
    const start = found === undefined ? 'is missing' : `found ${describe(found)}`;
    issues.add(path, `${start}; allowed: ${issue.message}`);
  }
}

function valueAt(json: unknown, path: Path): unknown {
  let value = json;
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<string | number, unknown>)[part];
  }
  return value;
}

import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

import { parseSignature } from '../../shared/expression/check/signatures.ts';

/**
 * Writes shared/expression/check/signatures.json from a list of Earth Engine's algorithms, as `algorithms.list` returns it:
 *
 *     npx node docs/generate/write-signatures.ts algorithms.json --date 2026-11-23
 *
 * Algorithms with the same signature share one line, so the table is a quarter of the list.
 */

interface Listed {
  readonly name: string;
  readonly returnType: string;
  readonly arguments?: readonly {
    readonly argumentName: string;
    readonly type: string;
    readonly optional?: boolean;
    readonly defaultValue?: unknown;
  }[];
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { date: { type: 'string' } },
});
const [file] = positionals;
if (file === undefined || !/^\d{4}-\d\d-\d\d$/.test(values.date ?? '')) {
  throw new Error('usage: write-signatures.ts ALGORITHMS.json --date YYYY-MM-DD (the day of the list)');
}

const { algorithms } = JSON.parse(readFileSync(file, 'utf8')) as { readonly algorithms: readonly Listed[] };
const names = new Map<string, string[]>();
for (const algorithm of algorithms) {
  const text = signatureText(algorithm);
  names.set(text, [...(names.get(text) ?? []), shortName(algorithm.name)]);
}
const signatures = Object.fromEntries(
  [...names].sort(([a], [b]) => (a < b ? -1 : 1)).map(([text, sharing]) => [text, sharing.sort().join(' ')]),
);
const target = new URL('../../shared/expression/check/signatures.json', import.meta.url);
writeFileSync(target, `${JSON.stringify({ date: values.date, signatures }, undefined, 2)}\n`);

function signatureText({ name, returnType, arguments: listed = [] }: Listed): string {
  const parts = listed.map(({ argumentName, type, optional = false, defaultValue }) => {
    const shown = isSmall(defaultValue) ? ` = ${JSON.stringify(defaultValue)}` : '';
    return `${argumentName}${optional ? '?' : ''}: ${shortType(type)}${shown}`;
  });
  const text = `${shortType(returnType)}(${parts.join(', ')})`;
  const { args } = parseSignature(name, text);
  if (args.size !== listed.length || listed.some(({ argumentName }) => !args.has(argumentName))) {
    throw new Error(`The signature of ${name} cannot be written as text: ${text}`);
  }
  return text;
}

/** Defaults that an argument can be compared with; others, such as a whole projection, are left out. */
function isSmall(value: unknown): boolean {
  return (
    typeof value === 'number' ||
    typeof value === 'boolean' ||
    (typeof value === 'string' && /^[\w-]*$/.test(value))
  );
}

function shortType(type: string): string {
  return type.replaceAll('<unknown bands>', '').replaceAll('<any>', 'Object');
}

function shortName(name: string): string {
  return name.replace(/^algorithms\//, '');
}

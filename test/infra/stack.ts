import { readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';

import { convertFiles } from '@cdktf/hcl2json';
import { parse } from 'yaml';

/** The project for these tests: text and parsed HCL, without Terraform or the cloud. */

export const root = resolve(import.meta.dirname, '../..');

/** The module, and the root module of this repository's deployment. */
export const moduleDirectory = join(root, 'infra/modules/ee-video-exports');
export const rootDirectory = join(root, 'infra');

/** HCL as JSON: blocks are arrays, expressions are `${…}` strings. */
export interface Stack {
  readonly locals: Readonly<Record<string, unknown>>;
  readonly variables: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** By `type.name`. */
  readonly resources: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** The text of all *.tf files, to check whether a name occurs anywhere. */
  readonly text: string;
}

type Block = Record<string, unknown>;

interface Converted {
  readonly locals?: readonly Block[];
  readonly variable: Readonly<Record<string, readonly Block[]>>;
  readonly resource: Readonly<Record<string, Readonly<Record<string, readonly Block[]>>>>;
}

export async function readStack(directory = moduleDirectory): Promise<Stack> {
  const files = (await readdir(directory)).filter((file) => file.endsWith('.tf'));
  const texts = await Promise.all(files.map((file) => readFile(join(directory, file), 'utf8')));
  const converted = (await convertFiles(directory)) as Converted;
  return {
    locals: Object.assign({}, ...(converted.locals ?? [])) as Block,
    variables: Object.fromEntries(
      Object.entries(converted.variable).map(([name, [block]]) => [name, block ?? {}]),
    ),
    resources: Object.fromEntries(
      Object.entries(converted.resource).flatMap(([type, named]) =>
        Object.entries(named).map(([name, [block]]) => [`${type}.${name}`, block ?? {}]),
      ),
    ),
    text: texts.join('\n'),
  };
}

/** The value at a path of keys and indexes; undefined if the path does not exist. */
export function at(value: unknown, ...path: readonly (string | number)[]): unknown {
  let found = value;
  for (const key of path) {
    if (typeof found !== 'object' || found === null) {
      return undefined;
    }
    found = (found as Record<string | number, unknown>)[key];
  }
  return found;
}

/** A copy with one value changed, or removed if `value` is undefined: a deliberate mistake. */
export function withChange<T>(original: T, path: readonly (string | number)[], value: unknown): T {
  const copy = structuredClone(original);
  const last = path.at(-1);
  const parent = at(copy, ...path.slice(0, -1)) as Record<string | number, unknown> | undefined;
  if (parent === undefined || last === undefined || !(last in parent || value !== undefined)) {
    throw new Error(`There is no ${path.join('.')} to change`);
  }
  if (value === undefined) {
    delete parent[last];
  } else {
    parent[last] = value;
  }
  return copy;
}

export const keysOf = (value: unknown): string[] => Object.keys(value ?? {}).sort();

/** The defaults of an object variable's `optional(type, default)` attributes. */
export function optionalDefaults(variable: unknown): Record<string, string> {
  const type = String(at(variable, 'type'));
  return Object.fromEntries(
    [...type.matchAll(/^\s*(\w+)\s*=\s*optional\(\w+, "?([^")]+)"?\)/gm)].map(([, name = '', value = '']) => [
      name,
      value,
    ]),
  );
}

export interface BuildStep {
  readonly id: string;
  readonly name: string;
  readonly entrypoint?: string;
  readonly args: readonly string[];
  readonly waitFor?: readonly string[];
}

export interface CloudBuild {
  readonly steps: readonly BuildStep[];
  readonly serviceAccount: string;
  readonly substitutions: Readonly<Record<string, string>>;
  readonly options: { readonly logging: string };
}

export async function readCloudBuild(file: string): Promise<CloudBuild> {
  return parse(await readFile(join(root, file), 'utf8')) as CloudBuild;
}

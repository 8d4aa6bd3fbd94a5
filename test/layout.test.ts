import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

import { tableRows } from './docs/pages.ts';

/**
 * The layers of `shared/`, lowest first: the order in which data moves. A module imports only from its own layer and from
 * layers below it. An entry is a folder or a file.
 */
const layers: readonly (readonly string[])[] = [
  [
    'clock.ts',
    'json.ts',
    'text.ts',
    'did-you-mean.ts',
    'errors.ts',
    'log.ts',
    'rpc-codes.ts',
    'publisher.ts',
    'steps.ts',
    'config.ts',
  ],
  ['model', 'issues.ts'],
  ['earth-engine'],
  ['storage'],
  ['store'],
  ['record'],
  ['services.ts'],
  ['records.ts', 'service-settings.ts'],
  ['budget'],
  ['estimate'],
  ['expression'],
  ['message'],
  ['pubsub'],
  ['submission'],
  ['batch'],
  ['cancellation'],
  ['retry'],
  ['dead-letters'],
  ['delivery'],
  ['polling'],
];

/** Everything outside of `shared/` that ships, above it, the page below the functions; `infra`, `docs` and `test` are never deployed. */
const deployed = new Set(['shared', 'page', 'functions', 'cli', 'package.json']);

const root = resolve(import.meta.dirname, '..');
const importPattern = /(?:\bfrom |\bimport\(|^import )'(\.{1,2}\/[^']+)'/gm;

const importsOf = (file: string, source = readFileSync(join(root, file), 'utf8')): string[] =>
  [...source.matchAll(importPattern)].map(([, path = '']) => normalize(join(dirname(file), path)));

function layerOf(file: string): number {
  const [, place = ''] = /^shared\/([^/]+)/.exec(file) ?? [];
  return layers.findIndex((layer) => layer.includes(place));
}

/** Imports that run upward, as `file -> imported`. */
function upwardImports(file: string, imports: readonly string[]): string[] {
  return imports
    .filter((imported) => {
      const [top = ''] = imported.split('/');
      if (file.startsWith('shared/')) {
        return top !== 'shared' || layerOf(imported) > layerOf(file);
      }
      return file.startsWith('page/') ? top !== 'page' && top !== 'shared' : !deployed.has(top);
    })
    .map((imported) => `${file} -> ${imported}`);
}

const files = globSync('{shared,page,functions,cli}/**/*.{ts,tsx}', { cwd: root }).sort();

describe('the layout', () => {
  it('has a layer for every module of shared/', () => {
    expect(files.filter((file) => file.startsWith('shared/') && layerOf(file) === -1)).toEqual([]);
  });

  it('has a module for every layer', () => {
    const places = new Set(files.map((file) => file.split('/')[1]));
    expect(layers.flat().filter((place) => !places.has(place))).toEqual([]);
  });

  it('is listed in shared/README.md, in this order', () => {
    const listed = tableRows('shared/README.md', '| layer | contains |').map(([names = '']) =>
      [...names.matchAll(/`([^`]+?)\/?`/g)].map(([, name = '']) => name),
    );
    expect(listed).toEqual(layers);
  });

  it('has no import that runs upward', () => {
    expect(files.flatMap((file) => upwardImports(file, importsOf(file)))).toEqual([]);
  });

  it.each([
    ['shared/store/store.ts', "import { pollExports } from '../polling/poll.ts';"],
    ['shared/record/proof.ts', "const { updateRecord } = await import('../records.ts');"],
    ['shared/polling/poll.ts', "import { createMemoryStore } from '../../infra/local/memory/store.ts';"],
    ['page/server/app.ts', "import { config } from '../../functions/runtime.ts';"],
    ['functions/http.ts', "export type { Stack } from '../infra/local/stack.ts';"],
  ])('detects an upward import in %s', (file, source) => {
    expect(upwardImports(file, importsOf(file, source))).toHaveLength(1);
  });
});

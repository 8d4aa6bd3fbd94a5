import { globSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, it } from 'vitest';

import { root } from '../processes.ts';
import { codeBlocks } from './pages.ts';

/** The paths that the map of the code names: a line that is indented further is within the folder above it. */
function mapped(): string[] {
  const map = codeBlocks('CONTRIBUTING.md').find(({ language }) => language === 'text')?.text ?? '';
  const folders: string[] = [];
  return map.split('\n').flatMap((line) => {
    const [, indent = '', name] = /^( *)(\S+?)\/? /.exec(line) ?? [];
    if (name === undefined) {
      return [];
    }
    folders.splice(indent.length / 2, Infinity, name);
    return [folders.join('/')];
  });
}

const foldersIn = (folder: string): string[] =>
  globSync('*/*', { cwd: join(root, folder) }).flatMap((path) => path.split('/').slice(0, 1));

describe('the map of the code', () => {
  const paths = mapped();

  it('names only what exists', () => {
    expect(paths.length).toBeGreaterThan(15);
    expect(paths.filter((path) => globSync(path, { cwd: root }).length === 0)).toEqual([]);
  });

  it('names every folder of code', () => {
    const notOurs = new Set(['node_modules', 'build']);
    const folders = foldersIn('.').filter((folder) => !notOurs.has(folder) && !folder.startsWith('build-'));
    expect(folders.filter((folder) => !paths.includes(folder))).toEqual([]);
  });

  it('names every folder of test/ that does not mirror another one', () => {
    const mirrored = new Set([...foldersIn('.'), ...foldersIn('shared')]);
    const others = foldersIn('test').filter(
      (folder) => !mirrored.has(folder) && !paths.includes(`test/${folder}`),
    );
    expect([...new Set(others)]).toEqual([]);
  });
});

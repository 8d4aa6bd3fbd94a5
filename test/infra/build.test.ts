import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32, inflateRawSync } from 'node:zlib';

import { describe, expect, it } from 'vitest';

import { zip } from '../../infra/build.ts';
import { type Lockfile, lockfileFor, type Manifest } from '../../infra/lockfile.ts';
import { root } from './stack.ts';

const text = (data: Uint8Array) => new TextDecoder().decode(data);
const bytes = (data: string) => new TextEncoder().encode(data);

/** Reads an archive by its central directory, as every unzip does (https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT). */
function unzip(bytes: Uint8Array) {
  const archive = Buffer.from(bytes);
  const end = archive.length - 22;
  expect(archive.readUInt32LE(end)).toBe(0x06054b50);
  const entries: { name: string; data: Buffer; mode: number; time: number }[] = [];
  let at = archive.readUInt32LE(end + 16);
  for (let n = 0; n < archive.readUInt16LE(end + 10); n += 1) {
    expect(archive.readUInt32LE(at)).toBe(0x02014b50);
    const nameLength = archive.readUInt16LE(at + 28);
    const name = text(archive.subarray(at + 46, at + 46 + nameLength));
    const local = archive.readUInt32LE(at + 42);
    expect(archive.readUInt32LE(local)).toBe(0x04034b50);
    const start = local + 30 + archive.readUInt16LE(local + 26) + archive.readUInt16LE(local + 28);
    const data = inflateRawSync(archive.subarray(start, start + archive.readUInt32LE(at + 20)));
    expect(data.length).toBe(archive.readUInt32LE(at + 24));
    expect(crc32(data)).toBe(archive.readUInt32LE(at + 16));
    const mode = archive.readUInt32LE(at + 38) >>> 16;
    entries.push({ name, data, mode, time: archive.readUInt32LE(at + 12) });
    at += 46 + nameLength;
  }
  expect(at).toBe(end);
  return entries;
}

describe('zip', () => {
  const files = [
    { name: 'package.json', data: bytes('{}') },
    { name: 'index.cjs', data: bytes('x'.repeat(100_000)) },
    { name: 'leer-ü.txt', data: bytes('') },
  ];

  it('contains every file, readable by every user', () => {
    const entries = unzip(zip(files));
    expect(entries.map(({ name, data }) => [name, text(data)])).toEqual([
      ['index.cjs', 'x'.repeat(100_000)],
      ['leer-ü.txt', ''],
      ['package.json', '{}'],
    ]);
    expect(new Set(entries.map(({ mode }) => mode.toString(8)))).toEqual(new Set(['100644']));
  });

  it('has the same bytes for the same files, in any order and at any time, and others for other files', () => {
    expect(zip(files.toReversed())).toEqual(zip(files));
    // 1980-01-01 00:00:00.
    expect(new Set(unzip(zip(files)).map(({ time }) => time))).toEqual(new Set([0x0021_0000]));
    expect(zip([{ name: 'package.json', data: bytes('[]') }])).not.toEqual(
      zip([{ name: 'package.json', data: bytes('{}') }]),
    );
  });
});

const manifest: Manifest = {
  name: 'one-function',
  version: '1.0.0',
  private: true,
  main: 'index.cjs',
  engines: { node: '24' },
  scripts: {},
  dependencies: { a: '1.0.0' },
};

function lock(packages: Lockfile['packages']): Lockfile {
  return { name: 'project', version: '1.0.0', lockfileVersion: 3, requires: true, packages };
}

describe('lockfileFor', () => {
  it('contains what is needed, from where Node would find it', () => {
    const project = lock({
      '': { dependencies: { a: '1.0.0', unrelated: '1.0.0' } },
      'node_modules/a': { version: '1.0.0', dependencies: { b: '^2.0.0', '@s/c': '1' } },
      'node_modules/a/node_modules/b': { version: '2.1.0', dependencies: { '@s/c': '1' }, dev: true },
      'node_modules/b': { version: '1.0.0' },
      'node_modules/@s/c': { version: '1.0.0', dependencies: { a: '1.0.0' } },
      'node_modules/unrelated': { version: '1.0.0' },
    });
    const { packages } = lockfileFor(manifest, project);
    expect(Object.keys(packages)).toEqual([
      '',
      'node_modules/@s/c',
      'node_modules/a',
      'node_modules/a/node_modules/b',
    ]);
    expect(packages['node_modules/a/node_modules/b']).toEqual({
      version: '2.1.0',
      dependencies: { '@s/c': '1' },
    });
  });

  it('fails if the project lacks a dependency, rather than leave a deployment to choose a version', () => {
    const project = lock({ 'node_modules/a': { version: '1.0.0', dependencies: { b: '^2.0.0' } } });
    expect(() => lockfileFor(manifest, project)).toThrow('package-lock.json lacks b@^2.0.0');
  });

  it("finds all of the framework's dependencies in the project's lockfile", async () => {
    const project = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8')) as Lockfile;
    const framework = '@google-cloud/functions-framework';
    const dependencies = { [framework]: String(project.packages[`node_modules/${framework}`]?.['version']) };
    const { packages } = lockfileFor({ ...manifest, dependencies }, project);
    expect(Object.keys(packages)).toEqual(expect.arrayContaining(['node_modules/express']));
    expect(Object.keys(packages)).not.toEqual(expect.arrayContaining(['node_modules/vitest']));
    const unlocked = Object.entries(packages).filter(([path, { integrity }]) => path !== '' && !integrity);
    expect(unlocked.map(([path]) => path)).toEqual([]);
  });
});

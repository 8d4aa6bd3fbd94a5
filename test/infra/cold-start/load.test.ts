import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { root } from '../../processes.ts';

/** Starts functions as their main file does: in processes of their own, since V8 remembers what it compiled. */

let directory: string;
let cache: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'load-'));
  cache = join(directory, 'cache');
  await mkdir(cache);
  await writeFunction('42');
});

afterEach(() => rm(directory, { recursive: true }));

/** Many functions, so that a wrong bit is likely to be in one that is used. */
const writeFunction = (answer: string): Promise<void> =>
  writeFile(
    join(directory, 'function.cjs'),
    `const all = [${Array.from({ length: 200 }, (_, n) => `(a) => a + 'text ${n}'.length * 0`).join()}];
    exports.load = async () => ({ answer: all.reduce((sum, add) => add(sum), ${answer}), directory: __dirname });`,
  );

interface Started {
  readonly answer: number;
  readonly directory: string;
  /** Undefined without compiled code. */
  readonly rejected: boolean | undefined;
}

async function start({ hash = 'a', flags = [] as readonly string[], cached = cache } = {}): Promise<Started> {
  const script = `
    import vm from 'node:vm';
    import { createRequire, syncBuiltinESMExports } from 'node:module';
    let script;
    vm.Script = class extends vm.Script { constructor(...all) { super(...all); script = this; } };
    syncBuiltinESMExports();
    const { loadFunction } = await import(${JSON.stringify(join(root, 'infra/cold-start/load.ts'))});
    const directory = ${JSON.stringify(directory)};
    const { load, keepCompiledCode } = loadFunction(createRequire(directory + '/index.cjs'), directory, '${hash}');
    const loaded = await load();
    const rejected = script.cachedDataRejected;
    keepCompiledCode();
    console.log(JSON.stringify({ ...loaded, rejected }));`;
  const { NODE_COMPILE_CACHE: _, ...others } = process.env;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [...flags, '--input-type=module', '--eval', script],
    { env: { ...others, ...(cached && { NODE_COMPILE_CACHE: cached }) }, timeout: 20_000 },
  );
  return JSON.parse(stdout) as Started;
}

async function compiled(): Promise<string> {
  const name = (await readdir(cache)).find((file) => file.startsWith('function-'));
  return join(cache, name ?? '');
}

describe('the main file of a function', () => {
  it('runs it without compiled code, and then with what it kept', async () => {
    expect(await start()).toEqual({ answer: 42, directory, rejected: undefined });
    expect(await start()).toEqual({ answer: 42, directory, rejected: false });
  });

  it('runs it without a cache', async () => {
    expect(await start({ cached: '' })).toEqual({ answer: 42, directory });
    expect(await readdir(cache)).toEqual([]);
  });

  it('does not run what was compiled from other code of the same length', async () => {
    await start();
    await writeFunction('43');
    expect(await start({ hash: 'b' })).toEqual({ answer: 43, directory, rejected: undefined });
  });

  it('names the version of Node, since a patch can change V8 within its version', async () => {
    await start();
    expect(await compiled()).toMatch(new RegExp(`-${process.version}-${process.arch}$`));
  });

  it('runs it with other flags of V8', async () => {
    await start();
    expect(await start({ flags: ['--stack-trace-limit=50'] })).toMatchObject({ answer: 42, rejected: true });
  });

  it.each([
    ['empty', () => Buffer.of()],
    ['short', (whole: Buffer) => whole.subarray(0, 2)],
    ['cut off', (whole: Buffer) => whole.subarray(0, whole.length / 2)],
    ['damaged', (whole: Buffer) => Buffer.from(whole).fill(0x55, whole.length / 2, whole.length / 2 + 1)],
    ['of zeros', (whole: Buffer) => Buffer.alloc(whole.length)],
  ])('runs it if the compiled code is %s, without that', async (_, damage) => {
    await start();
    await writeFile(await compiled(), damage(await readFile(await compiled())));
    // V8 does not see it.
    expect(await start()).toEqual({ answer: 42, directory, rejected: undefined });
    expect(await start()).toMatchObject({ rejected: false });
  });
});

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Script } from 'node:vm';

/** What a function exports: how it loads its clients. */
interface Exports {
  load(): Promise<object>;
}

export interface LoadedFunction extends Exports {
  /** Keeps what V8 has compiled until now for the next start. */
  keepCompiledCode(): void;
}

/**
 * The main file of each deployed function: runs the function's code, with what V8 compiled of it while the image was built.
 * Node's own cache (NODE_COMPILE_CACHE) has only what V8 compiles before a file runs, which is a quarter of what the first
 * request needs. V8 ignores code that another version compiled.
 *
 * @param load `require` of the main file
 * @param hash of the code, because V8 compares only its length
 */
export function loadFunction(load: NodeJS.Require, directory: string, hash: string): LoadedFunction {
  const filename = join(directory, 'function.cjs');
  const cache = process.env['NODE_COMPILE_CACHE'];
  const compiled = cache === undefined ? undefined : join(cache, `function-${hash}`);
  const cachedData = compiled === undefined ? undefined : readIfExists(compiled);
  // The lines of stack traces are those of the file.
  const code = `(function (exports, require, module, __filename, __dirname) {\n${readFileSync(filename, 'utf8')}\n})`;
  const script = new Script(code, {
    filename,
    lineOffset: -1,
    ...(cachedData && { cachedData }),
  });
  const module = { exports: {} as Exports };
  const run = script.runInThisContext() as (...names: readonly unknown[]) => void;
  run(module.exports, load, module, filename, directory);
  return {
    load: () => module.exports.load(),
    keepCompiledCode: () => {
      if (compiled !== undefined) {
        writeFileSync(compiled, script.createCachedData());
      }
    },
  };
}

function readIfExists(file: string): Buffer | undefined {
  try {
    return readFileSync(file);
  } catch {
    return undefined;
  }
}

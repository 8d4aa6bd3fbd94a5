import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Script } from 'node:vm';

/** What function.cjs exports, for the warm-up. */
interface Exports {
  /** Creates the function's clients. */
  load(): Promise<object>;
}

export interface LoadedFunction extends Exports {
  /** Stores what V8 has compiled until now, for the next start. Does nothing without NODE_COMPILE_CACHE. */
  keepCompiledCode(): void;
}

/**
 * Runs a deployed function's code, function.cjs, with the code that V8 compiled for it while the image was built. The main file
 * of each function calls this. Node's own compile cache is not enough: it has only what V8 compiles before a file runs, which is
 * a quarter of what the first request needs. If another version of V8 made the compiled code, V8 ignores it.
 *
 * @param mainRequire `require` of the main file
 * @param directory the folder of function.cjs
 * @param codeHash the hash of function.cjs. It names the file of the compiled code, because V8 compares only the code's length
 * @throws if function.cjs cannot be read, and whatever it throws when it is evaluated
 */
export function loadFunction(
  mainRequire: NodeJS.Require,
  directory: string,
  codeHash: string,
): LoadedFunction {
  const filename = join(directory, 'function.cjs');
  const cache = process.env['NODE_COMPILE_CACHE'];
  const cacheFile = cache === undefined ? undefined : join(cache, `function-${codeHash}`);
  const cachedData = cacheFile === undefined ? undefined : readIfExists(cacheFile);
  const code = `(function (exports, require, module, __filename, __dirname) {\n${readFileSync(filename, 'utf8')}\n})`;
  const script = new Script(code, {
    filename,
    // The code starts in the second line of the script, and stack traces must show the line numbers of the file.
    lineOffset: -1,
    ...(cachedData && { cachedData }),
  });
  const module = { exports: {} as Exports };
  const evaluate = script.runInThisContext() as (...values: readonly unknown[]) => void;
  evaluate(module.exports, mainRequire, module, filename, directory);
  return {
    load: () => module.exports.load(),
    keepCompiledCode: () => {
      if (cacheFile !== undefined) {
        writeFileSync(cacheFile, script.createCachedData());
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

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Script } from 'node:vm';
import { crc32 } from 'node:zlib';

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
 * a quarter of what the first request needs. If another version of V8 made the compiled code, or one with other flags, V8 ignores
 * it. A release of Node can patch V8 without another version, though, and V8 does not look for damage: one wrong bit can crash
 * the process or make it hang.
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
  const name = `function-${codeHash}-${process.version}-${process.arch}`;
  const cacheFile = cache === undefined ? undefined : join(cache, name);
  const cachedData = cacheFile === undefined ? undefined : readIfWhole(cacheFile);
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
        const data = script.createCachedData();
        writeFileSync(cacheFile, Buffer.concat([data, checksum(data)]));
      }
    },
  };
}

const CHECKSUM_BYTES = 4;

/** At the end, since V8 copies data that is not aligned. */
function checksum(data: Buffer): Buffer {
  const bytes = Buffer.alloc(CHECKSUM_BYTES);
  bytes.writeUInt32BE(crc32(data));
  return bytes;
}

function readIfWhole(file: string): Buffer | undefined {
  try {
    const bytes = readFileSync(file);
    const data = bytes.subarray(0, -CHECKSUM_BYTES);
    return bytes.subarray(-CHECKSUM_BYTES).equals(checksum(data)) ? data : undefined;
  } catch {
    return undefined;
  }
}

import { parseArgs, type ParseArgsConfig } from 'node:util';

/**
 * Reads the options of an npm script from the command line. `--help` prints the usage and exits with 0. An unknown option
 * prints an error and the usage, and exits with 2.
 */
export function readOptions<const T extends ParseArgsConfig>(
  usage: string,
  config: T,
): ReturnType<typeof parseArgs<T>> {
  if (process.argv.slice(2).some((argument) => argument === '--help' || argument === '-h')) {
    console.log(usage);
    process.exit(0);
  }
  try {
    return parseArgs(config);
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    if (!code.startsWith('ERR_PARSE_ARGS_')) {
      throw error;
    }
    return wrongOption(message, usage);
  }
}

/** Reads a whole number from 1; exits with 2 if it is not one. */
export function wholeNumber(name: string, text: string, usage: string): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  return value >= 1 ? value : wrongOption(`--${name} must be a whole number from 1; found ${text}`, usage);
}

export function wrongOption(problem: string, usage: string): never {
  console.error(`${problem}\n\n${usage}`);
  process.exit(2);
}

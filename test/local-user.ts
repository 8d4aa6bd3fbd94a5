import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { createConnections } from '../cli/connections.ts';
import { runCli } from '../cli/program.ts';
import { systemClock } from '../shared/clock.ts';
import { withoutEmulators } from './processes.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The command line in this process, with its real clients: a process for each command would take most of the time. Google's
 * clients read the emulators' variables of this process.
 *
 * @returns the exit code
 */
export function runInProcess(
  args: readonly string[],
  environment: Environment,
  { out, err, stdin = '' }: Streams,
): Promise<number> {
  const { signal } = new AbortController();
  return runCli(args, {
    terminal: { out, err, isInteractive: false, columns: Infinity, rows: 24, hasColor: false },
    clock: systemClock,
    environment,
    interrupted: signal,
    confirm: undefined,
    readStdin: async () => Buffer.from(stdin),
    connect: (service) => createConnections(service, systemClock, signal),
  });
}

interface Streams {
  readonly out: (line: string) => void;
  readonly err: (line: string) => void;
  readonly stdin?: string;
}

/** What a command printed, and its exit code. */
export interface Ran {
  readonly code: number;
  readonly output: string;
}

/** A user at a terminal, who has set no variables. */
export interface User {
  readonly environment: Environment;
  run(...args: readonly string[]): Promise<Ran>;
  remove(): Promise<void>;
}

export async function createUser(): Promise<User> {
  const home = await mkdtemp(join(tmpdir(), 'user-'));
  const environment = { ...withoutEmulators, GOOGLE_CLOUD_PROJECT: undefined, XDG_CONFIG_HOME: home };
  return {
    environment,
    async run(...args) {
      let output = '';
      const write = (text: string) => {
        output += `${text}\n`;
      };
      const code = await runInProcess(args, environment, { out: write, err: write });
      return { code, output };
    },
    remove: () => rm(home, { recursive: true }),
  };
}

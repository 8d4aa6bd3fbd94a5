import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { createConnections } from '../cli/connections.ts';
import { runCli } from '../cli/program.ts';
import { systemClock } from '../shared/clock.ts';
import { withoutEmulators } from './processes.ts';

/** What a command printed, and its exit code. */
export interface Ran {
  readonly code: number;
  readonly output: string;
}

/** A user at a terminal, who has set no variables. */
export interface User {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The command line in this process, with its real clients: a process for each command would take most of the time. */
  run(...args: readonly string[]): Promise<Ran>;
  remove(): Promise<void>;
}

export async function createUser(): Promise<User> {
  const home = await mkdtemp(join(tmpdir(), 'user-'));
  const environment = { ...withoutEmulators, GOOGLE_CLOUD_PROJECT: undefined, XDG_CONFIG_HOME: home };
  const { signal } = new AbortController();
  return {
    environment,
    async run(...args) {
      let output = '';
      const write = (text: string) => {
        output += `${text}\n`;
      };
      const terminal = {
        out: write,
        err: write,
        isInteractive: false,
        columns: Infinity,
        rows: 24,
        hasColor: false,
      };
      const code = await runCli(args, {
        terminal,
        clock: systemClock,
        environment,
        interrupted: signal,
        confirm: undefined,
        readStdin: async () => new Uint8Array(),
        connect: (service) => createConnections(service, systemClock, signal),
      });
      return { code, output };
    },
    remove: () => rm(home, { recursive: true }),
  };
}

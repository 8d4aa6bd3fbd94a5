import type { Command } from 'commander';

import type { Clock } from '../shared/clock.ts';
import type { Cli } from './cli.ts';
import type { ExitCode } from './exit-codes.ts';

export interface CommandContext {
  readonly clock: Clock;
  /** Connects, and runs the action of the command that was called. */
  readonly run: (command: Command, action: (cli: Cli) => Promise<ExitCode>) => Promise<void>;
}

/**
 * Adds one command to its parent: name, arguments, options and help. The action is imported when the command is called,
 * so that `--help` loads neither the actions nor the clients of Google Cloud.
 */
export type Declare = (parent: Command, context: CommandContext) => void;

export const examples = (...lines: readonly string[]): string =>
  `\nExamples:\n${lines.map((line) => `  $ ee-video-exports ${line}`).join('\n')}`;

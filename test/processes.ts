import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';

export const root = resolve(import.meta.dirname, '..');

/** The environment of a machine on which no emulators run yet. */
export const { FIRESTORE_EMULATOR_HOST: _, PUBSUB_EMULATOR_HOST: __, ...withoutEmulators } = process.env;

/** The children of a process, their children, and so on. */
export function descendants(pid: number): number[] {
  const lines = execFileSync('ps', ['-eo', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n');
  const pairs = lines.map((line) => line.trim().split(/\s+/).map(Number) as [number, number]);
  const found = [pid];
  // The array grows during the loop, which therefore reaches children of children.
  for (const parent of found) {
    for (const [child, ppid] of pairs) {
      if (ppid === parent) {
        found.push(child);
      }
    }
  }
  return found.slice(1);
}

/** The processes that have not ended. A zombie has ended. */
export function running(pids: readonly number[]): number[] {
  const { stdout } = spawnSync('ps', ['-o', 'pid=,stat=', '-p', pids.join(',')], { encoding: 'utf8' });
  return stdout
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .flatMap(([pid, state]) => (state === undefined || state.startsWith('Z') ? [] : [Number(pid)]));
}

export interface Run {
  readonly process: ChildProcess;
  /** The output so far, of both streams. */
  output(): string;
  /** Resolves when the output has this text; rejects if the process ends without it. */
  printed(text: string): Promise<void>;
  /** Resolves with the exit code when the process has ended and its streams are closed. */
  readonly closed: Promise<number | null>;
}

/** Runs a command, by default in the project's folder. */
export function run(
  command: string,
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>> = process.env,
  folder: string = root,
): Run {
  const child = spawn(command, args, {
    cwd: folder,
    env: { ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      child.emit('printed');
    });
  }
  const closed = once(child, 'close').then(([code]) => code as number | null);
  return {
    process: child,
    output: () => output,
    closed,
    async printed(text) {
      let ended = false;
      void closed.then(() => (ended = true));
      while (!output.includes(text)) {
        if (ended) {
          throw new Error(
            `The process ended without printing ${JSON.stringify(text)}. Its output:\n${output}`,
          );
        }
        await Promise.race([once(child, 'printed'), closed]);
      }
    },
  };
}

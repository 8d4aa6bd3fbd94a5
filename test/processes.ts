import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';

export const root = resolve(import.meta.dirname, '..');

/** The environment of a machine on which no emulators run yet. */
export const { FIRESTORE_EMULATOR_HOST: _, PUBSUB_EMULATOR_HOST: __, ...withoutEmulators } = process.env;

/** Every process below `pid`, however deep. */
export function descendants(pid: number): number[] {
  const lines = execFileSync('ps', ['-eo', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n');
  const pairs = lines.map((line) => line.trim().split(/\s+/).map(Number) as [number, number]);
  const found = [pid];
  // Grows while it is walked: children of children are looked at in their turn.
  for (const parent of found) {
    for (const [child, ppid] of pairs) {
      if (ppid === parent) {
        found.push(child);
      }
    }
  }
  return found.slice(1);
}

/** Those that have not ended. A process that nobody has collected yet (a zombie) has. */
export function running(pids: readonly number[]): number[] {
  const { stdout } = spawnSync('ps', ['-o', 'pid=,stat=', '-p', pids.join(',')], { encoding: 'utf8' });
  return stdout
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .flatMap(([pid, state]) => (state === undefined || state.startsWith('Z') ? [] : [Number(pid)]));
}

export interface Run {
  readonly process: ChildProcess;
  /** What it printed so far, to either stream. */
  output(): string;
  /** Resolves when `text` was printed; rejects when the process ends without. */
  printed(text: string): Promise<void>;
  /** Resolves with its exit code when it and its streams are closed. */
  readonly closed: Promise<number | null>;
}

/** Runs a command in the project's folder, its output in pipes. */
export function run(
  command: string,
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Run {
  const child = spawn(command, args, {
    cwd: root,
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
          throw new Error(`it ended without printing ${JSON.stringify(text)}, but:\n${output}`);
        }
        await Promise.race([once(child, 'printed'), closed]);
      }
    },
  };
}

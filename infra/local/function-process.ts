import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

import { LocalError } from './local-error.ts';
import { SECOND_MS } from '../../shared/clock.ts';
import type { Target } from '../targets.ts';

/** What `npm run build` writes. */
export const buildFolder = resolve(import.meta.dirname, '..', '..', 'build');
/** The functions, bundled from functions/index.ts. */
const builtFunctions = join(buildFolder, 'functions', 'index.js');

/** A function may finish its work: Cloud Run allows 10 s between SIGTERM and SIGKILL. */
const DRAIN_MS = 10 * SECOND_MS;
const KEPT_LINES = 40;

export interface FunctionOptions {
  readonly target: Target;
  /** Its environment in addition to PATH. It inherits nothing else, so that a shell's settings cannot leak in. */
  readonly env: Readonly<Record<string, string>>;
  /** Default: a free port. */
  readonly port?: number | undefined;
  /** The file that registers the targets. */
  readonly source?: string | undefined;
  /** Receives each line that the function prints: a log entry in JSON, or the output of a library. */
  readonly onLine?: ((line: string) => void) | undefined;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Whether `stop` or `kill` caused it. */
  readonly expected: boolean;
}

/** One function under functions-framework, in its own process, like one instance on Cloud Run. */
export interface FunctionProcess {
  readonly target: Target;
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  readonly pid: number;
  /** Resolves when the process is gone. */
  readonly exited: Promise<Exit>;
  /** The last lines of its output. */
  output(): string;
  kill(signal: NodeJS.Signals): void;
  /** Sends SIGTERM, then SIGKILL if it takes longer than Cloud Run allows. */
  stop(): Promise<void>;
}

/** @throws LocalError FUNCTION_FAILED, with its output, if it ends before it listens */
export async function startFunction({
  target,
  env,
  port = 0,
  source = builtFunctions,
  onLine,
}: FunctionOptions): Promise<FunctionProcess> {
  const framework = createRequire(import.meta.url).resolve('@google-cloud/functions-framework');
  const child = fork(
    join(framework, '..', 'main.js'),
    [`--target=${target}`, `--source=${source}`, `--port=${port}`],
    {
      execArgv: ['--import', import.meta.resolve('./report-port.ts')],
      // As deployed: an error's text must never leak into a response.
      env: {
        PATH: process.env['PATH'],
        NODE_ENV: 'production',
        // Node's own folder for what it compiled: each start takes two thirds of the time.
        NODE_COMPILE_CACHE: join(tmpdir(), 'node-compile-cache'),
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      // In a separate process group: on Ctrl-C in a terminal, this process stops the others in the right order.
      detached: true,
    },
  );
  let expected = false;
  const exited = once(child, 'exit').then(([code, signal]): Exit => ({ code, signal, expected }));
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr] as readonly Readable[]) {
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line);
      if (lines.length > KEPT_LINES) {
        lines.shift();
      }
      onLine?.(line);
    });
  }
  const output = () => lines.join('\n');

  const listening = once(child, 'message').then(([message]) => (message as { readonly port: number }).port);
  const first = await Promise.race([listening, exited]);
  if (typeof first !== 'number') {
    throw new LocalError(
      'FUNCTION_FAILED',
      `${target} ended with ${first.code ?? first.signal} before it listened. Its output:\n${output()}`,
    );
  }
  return {
    target,
    url: `http://127.0.0.1:${first}`,
    pid: child.pid as number,
    exited,
    output,
    kill(signal) {
      expected = true;
      child.kill(signal);
    },
    async stop() {
      expected = true;
      child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), DRAIN_MS);
      await exited;
      clearTimeout(late);
    },
  };
}

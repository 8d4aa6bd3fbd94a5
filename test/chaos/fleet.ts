import { startFunction, type FunctionProcess } from '../../infra/local/function-process.ts';
import { LocalError } from '../../infra/local/local-error.ts';
import type { Target } from '../../infra/targets.ts';
import { asError } from '../../shared/errors.ts';
import type { Tally } from './tally.ts';

/** Several processes of one function. One that ends, in whatever way, is replaced by another. */
export interface Fleet {
  readonly target: Target;
  /** The addresses of those that take requests: what Cloud Run has told to stop gets no new ones. */
  addresses(): readonly string[];
  /** Ends one of them at once, or asks it to end; never the last of several. */
  end(index: number, signal: 'SIGKILL' | 'SIGTERM'): void;
  stop(): Promise<void>;
}

export interface FleetOptions {
  readonly target: Target;
  readonly size: number;
  readonly source: string;
  readonly env: Readonly<Record<string, string>>;
  readonly tally: Tally;
  /** Hears of a process that ended by itself, or did not start. */
  readonly onProblem: (problem: Error) => void;
}

/** Resolves when all of them listen. */
export async function startFleet(options: FleetOptions): Promise<Fleet> {
  const { target, size, source, env, tally, onProblem } = options;
  /** Those that take requests; those that are only finishing theirs are alive as well. */
  const serving: FunctionProcess[] = [];
  const alive = new Set<FunctionProcess>();
  const lives = new Set<Promise<void>>();
  let stopped = false;

  const remove = (running: FunctionProcess): void => {
    const index = serving.indexOf(running);
    if (index >= 0) {
      serving.splice(index, 1);
    }
  };
  const launch = async (): Promise<void> => {
    const running = await startFunction({ target, source, env });
    if (stopped) {
      await running.stop();
      return;
    }
    alive.add(running);
    serving.push(running);
    keep(outlive(running));
  };
  const outlive = async (running: FunctionProcess): Promise<void> => {
    const { code, signal, expected } = await running.exited;
    alive.delete(running);
    remove(running);
    if (stopped) {
      return;
    }
    tally.count(`ended:${signal ?? `exit ${code}`}`);
    if (!expected) {
      onProblem(
        new LocalError(
          'FUNCTION_CRASHED',
          `${target} ended by itself with ${code ?? signal}; it printed:\n${running.output()}`,
        ),
      );
    }
    await launch();
  };
  const keep = (life: Promise<void>): void => {
    const settled = life.catch((thrown: unknown) => onProblem(asError(thrown)));
    lives.add(settled);
    void settled.then(() => lives.delete(settled));
  };

  await Promise.all(Array.from({ length: size }, launch));
  return {
    target,
    addresses: () => serving.map(({ url }) => url),
    end(index, signal) {
      const running = serving[index];
      // With none left only waiting would be tested.
      if (!running || (size > 1 && serving.length === 1)) {
        return;
      }
      tally.count(`sent:${signal}`);
      remove(running);
      running.kill(signal);
    },
    async stop() {
      stopped = true;
      await Promise.all([...alive].map((running) => running.stop()));
      await Promise.all(lives);
    },
  };
}

import { startFunction, type FunctionProcess } from '../../infra/local/function-process.ts';
import { LocalError } from '../../infra/local/local-error.ts';
import type { Target } from '../../infra/targets.ts';
import { asError } from '../../shared/errors.ts';
import type { Tally } from './tally.ts';

/** Several processes of one function. A process that ends, for any reason, is replaced. */
export interface Fleet {
  readonly target: Target;
  /** The addresses of the processes that accept requests: as on Cloud Run, a stopping one gets no new requests. */
  addresses(): readonly string[];
  /** Sends the signal to one of them, but never to the last of several. */
  end(index: number, signal: 'SIGKILL' | 'SIGTERM'): void;
  stop(): Promise<void>;
}

export interface FleetOptions {
  readonly target: Target;
  readonly size: number;
  readonly source: string;
  readonly env: Readonly<Record<string, string>>;
  readonly tally: Tally;
  /** Receives a process that ended unexpectedly, or did not start. */
  readonly onProblem: (problem: Error) => void;
}

/** Resolves when all processes listen. */
export async function startFleet(options: FleetOptions): Promise<Fleet> {
  const { target, size, source, env, tally, onProblem } = options;
  /** The processes that accept requests. Those that only finish their last requests are alive as well. */
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
          `${target} ended unexpectedly with ${code ?? signal}. Its output:\n${running.output()}`,
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
      // Without any process, the run would only test waiting.
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

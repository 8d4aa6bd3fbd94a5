import { setTimeout as wait } from 'node:timers/promises';

import {
  changeContexts,
  type Environment,
  LOCAL,
  type LocalContext,
  readContexts,
  withContext,
} from '../../cli/service/contexts.ts';

/** The context `local`: how the command line finds the service that runs on this machine, and how `npm stop` does. */

type Running = NonNullable<LocalContext['running']>;

/** From now on, every terminal of this user uses the service of this process. */
export const noteRunning = (variables: Environment, running: Running): Promise<void> =>
  changeContexts(variables, (contexts) => withContext(contexts, LOCAL, { kind: 'local', running }));

/** The context stays in use: commands that were meant for this service must not reach another one. */
export async function noteStopped(variables: Environment, pid: number): Promise<void> {
  if (runningIn(variables)?.pid === pid) {
    await changeContexts(variables, ({ current, contexts }) => ({
      current,
      contexts: { ...contexts, [LOCAL]: { kind: 'local' } },
    }));
  }
}

function runningIn(variables: Environment): Running | undefined {
  const local = readContexts(variables).contexts[LOCAL];
  return local?.kind === 'local' ? local.running : undefined;
}

const ANSWER_MS = 2000;

/**
 * The service that runs now. Its simulator confirms the process: after a crash, the context still names a process, and its
 * number may belong to another program.
 */
export async function findRunning(variables: Environment): Promise<Running | undefined> {
  const running = runningIn(variables);
  if (!running) {
    return undefined;
  }
  try {
    const host = running.environment['EARTHENGINE_EMULATOR_HOST'];
    const response = await fetch(`http://${host}/simulator/process`, {
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    const { pid } = (await response.json()) as { readonly pid?: number };
    return pid === running.pid ? running : undefined;
  } catch {
    return undefined;
  }
}

const LOOK_EVERY_MS = 50;

/** Ends the process as Ctrl-C does, and resolves when it is gone. */
export async function stopRunning({ pid }: Running): Promise<void> {
  process.kill(pid, 'SIGTERM');
  while (isAlive(pid)) {
    await wait(LOOK_EVERY_MS);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

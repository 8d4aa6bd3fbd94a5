import { once } from 'node:events';

import { asError, ServiceError } from '../errors.ts';

/** Runs `work`, which performs `action` (a verb) on `path`. @throws ServiceError STORE_TIMEOUT, or STORE_FAILED with the cause */
export type BoundedCall = <R>(action: string, path: string, work: () => Promise<R>) => Promise<R>;

export interface BoundedCalls {
  readonly call: BoundedCall;
  /** Waits until no work is in progress, but no longer than the timeout of a call. Returns whether it succeeded. */
  readonly ended: () => Promise<boolean>;
}

/**
 * Limits the time of a database's calls, and adds what gRPC's errors lack: the action and its path. Work that timed out
 * continues, and may still take effect.
 */
export function boundedCalls(database: string, timeoutMs: number): BoundedCalls {
  const inProgress = new Set<Promise<unknown>>();

  const call: BoundedCall = async (action, path, work) => {
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timeout = `${database} did not respond within ${timeoutMs} ms (${action} ${path})`;
    const timer = setTimeout(() => reject(new ServiceError('STORE_TIMEOUT', timeout)), timeoutMs);
    try {
      const result = work();
      inProgress.add(result);
      void result.then(
        () => inProgress.delete(result),
        () => inProgress.delete(result),
      );
      return await Promise.race([result, late]);
    } catch (thrown) {
      if (thrown instanceof ServiceError) {
        throw thrown;
      }
      const message = `${database} failed to ${action} ${path}: ${asError(thrown).message}`;
      throw new ServiceError('STORE_FAILED', message, { cause: thrown });
    } finally {
      clearTimeout(timer);
    }
  };

  const ended = async () => {
    const expired = AbortSignal.timeout(timeoutMs);
    await Promise.race([Promise.allSettled(inProgress), once(expired, 'abort')]);
    return inProgress.size === 0;
  };

  return { call, ended };
}

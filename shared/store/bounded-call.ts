import { once } from 'node:events';

import { asError, ServiceError } from '../errors.ts';

/** Runs `work`, which is to do `what` to `path`. @throws ServiceError STORE_TIMEOUT, or STORE_FAILED with the cause */
export type BoundedCall = <R>(what: string, path: string, work: () => Promise<R>) => Promise<R>;

export interface BoundedCalls {
  readonly call: BoundedCall;
  /** Waits, as long as for a call, until no work is under way any more; says whether that is so. */
  readonly ended: () => Promise<boolean>;
}

/**
 * Calls of a database, bounded in time, with errors that say what failed of what: gRPC's own name neither. Work that ran
 * out of time goes on, and may still happen.
 */
export function boundedCalls(database: string, timeoutMs: number): BoundedCalls {
  const underWay = new Set<Promise<unknown>>();

  const call: BoundedCall = async (what, path, work) => {
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(
      () =>
        reject(
          new ServiceError('STORE_TIMEOUT', `${database} did not ${what} ${path} within ${timeoutMs} ms`),
        ),
      timeoutMs,
    );
    try {
      const result = work();
      underWay.add(result);
      void result.then(
        () => underWay.delete(result),
        () => underWay.delete(result),
      );
      return await Promise.race([result, late]);
    } catch (thrown) {
      if (thrown instanceof ServiceError) {
        throw thrown;
      }
      throw new ServiceError(
        'STORE_FAILED',
        `${database} did not ${what} ${path}: ${asError(thrown).message}`,
        {
          cause: thrown,
        },
      );
    } finally {
      clearTimeout(timer);
    }
  };

  const ended = async () => {
    const given = AbortSignal.timeout(timeoutMs);
    await Promise.race([Promise.allSettled(underWay), once(given, 'abort')]);
    return underWay.size === 0;
  };

  return { call, ended };
}

/** The status code of the error behind what a bounded call threw. */
export function codeOf(error: unknown): unknown {
  const cause = error instanceof ServiceError ? error.cause : undefined;
  return typeof cause === 'object' && cause !== null && 'code' in cause ? cause.code : undefined;
}

import type { Operation } from '../../shared/earth-engine/api.ts';
import type { Services } from '../../shared/services.ts';
import type { Submitted } from '../../shared/submission/submit.ts';
import { type Harness, smallJob } from '../harness.ts';

/** A sender whose POST hangs: it hears its answer when the test says so, whatever happened meanwhile. */
export interface SlowSender {
  /** Resolves when it has asked EE. */
  readonly asked: Promise<void>;
  readonly submitted: Promise<Submitted>;
  readonly posts: () => number;
  /** What EE made of the request, unheard so far. Without this EE never had it. */
  arrive(): Promise<Operation>;
  answer(operation: Operation): void;
  fail(error: Error): void;
}

export function sendSlowly(
  harness: Harness,
  change: (services: Services) => Services = (services) => services,
): SlowSender {
  const asked = Promise.withResolvers<void>();
  const sendOutcome = Promise.withResolvers<Operation>();
  let posts = 0;
  let arrive: (() => Promise<Operation>) | undefined;
  const process = harness.instance((services) =>
    change({
      ...services,
      earthEngine: {
        ...services.earthEngine,
        startExport: (project, request, options) => {
          posts += 1;
          arrive = () => services.earthEngine.startExport(project, request, options);
          asked.resolve();
          return sendOutcome.promise;
        },
      },
    }),
  );
  return {
    asked: asked.promise,
    submitted: process.submit({ data: smallJob() }),
    posts: () => posts,
    arrive: () => {
      if (!arrive) {
        throw new Error('it has not asked yet');
      }
      return arrive();
    },
    answer: sendOutcome.resolve,
    fail: sendOutcome.reject,
  };
}

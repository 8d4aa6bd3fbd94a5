import type { Operation } from '../../shared/earth-engine/api.ts';
import type { Services } from '../../shared/services.ts';
import type { Submitted } from '../../shared/submission/submit.ts';
import { type Harness, smallJob } from '../harness.ts';

/** A sender whose POST hangs until the test answers it, whatever happened meanwhile. */
export interface SlowSender {
  /** Resolves when the POST has begun. */
  readonly posted: Promise<void>;
  readonly submitted: Promise<Submitted>;
  readonly posts: () => number;
  /** Delivers the request to Earth Engine; the sender has no answer yet. Otherwise it never arrives. */
  arrive(): Promise<Operation>;
  answer(operation: Operation): void;
  fail(error: Error): void;
}

export function sendSlowly(
  harness: Harness,
  change: (services: Services) => Services = (services) => services,
  jobKey = 'test/1',
): SlowSender {
  const posted = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<Operation>();
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
          posted.resolve();
          return answer.promise;
        },
      },
    }),
  );
  return {
    posted: posted.promise,
    submitted: process.submit({ data: smallJob({ jobKey }) }),
    posts: () => posts,
    arrive: () => {
      if (!arrive) {
        throw new Error('the sender has not posted yet');
      }
      return arrive();
    },
    answer: answer.resolve,
    fail: answer.reject,
  };
}

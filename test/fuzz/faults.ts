import { SECOND_MS } from '../../shared/clock.ts';
import type { Operation } from '../../shared/earth-engine/api.ts';
import { connectionError, responseError } from '../../shared/earth-engine/errors.ts';
import { ServiceError, StaleWriteError } from '../../shared/errors.ts';
import type { OutgoingMessage, PublishOutcome } from '../../shared/publisher.ts';
import type { Created, Documents, Stored } from '../../shared/store/store.ts';
import type { CallKind, Fault as SimulatedFault } from '../../infra/local/simulator/settings.ts';
import type { World } from './world.ts';

/** What goes wrong with one call: it stands in for the call and may make it. */
export interface Fault<R> {
  readonly name: string;
  strike(work: () => Promise<R>): Promise<R>;
}

const storeFailed = () => new ServiceError('STORE_TIMEOUT', 'the store did not answer in time');
const COMMIT_LATE_MS = 40 * SECOND_MS;

export function readFaults<R>({ timeline }: World): Fault<R>[] {
  return [
    { name: 'store fails', strike: () => Promise.reject(storeFailed()) },
    {
      name: 'store times out',
      strike: async () => {
        await timeline.sleep(10 * SECOND_MS);
        throw storeFailed();
      },
    },
  ];
}

export function writeFaults<R>(world: World): Fault<R>[] {
  const { timeline, dice, plan } = world;
  const answerLost: Fault<R> = {
    name: 'commit unanswered',
    strike: async (work) => {
      await work();
      throw storeFailed();
    },
  };
  const late: Fault<R> = {
    name: 'commit late',
    strike: (work) => {
      world.keepGoing(async () => {
        await timeline.sleep(dice.whole(SECOND_MS, COMMIT_LATE_MS));
        world.note(() => 'late commit arrives');
        // It may find that the document has changed since: then it does nothing.
        await work().catch(() => undefined);
      });
      return Promise.reject(storeFailed());
    },
  };
  return [...readFaults<R>(world), answerLost, answerLost, ...(plan.features.has('late') ? [late] : [])];
}

/** The client library repeats a commit whose answer was lost, and the repetition finds the document as it just wrote it. */
export function ambiguousCreate<T>(
  { plan }: World,
  documents: Pick<Documents<T>, 'get'>,
  id: string,
): Fault<Created<T>>[] {
  const fault: Fault<Created<T>> = {
    name: 'created, reported as existing',
    strike: async (work) => {
      const outcome = await work();
      const existing = await documents.get(id);
      return 'created' in outcome && existing ? { existing } : outcome;
    },
  };
  return plan.features.has('ambiguous') ? [fault, fault] : [];
}

export function ambiguousReplace<T>({ plan }: World, id: string): Fault<Stored<T>>[] {
  const fault: Fault<Stored<T>> = {
    name: 'replaced, reported as stale',
    strike: async (work) => {
      await work();
      throw new StaleWriteError(id);
    },
  };
  return plan.features.has('ambiguous') ? [fault, fault] : [];
}

export function publishFaults(
  { dice }: World,
  messages: readonly OutgoingMessage[],
): Fault<PublishOutcome[]>[] {
  const error = () => new ServiceError('PUBLISH_TIMEOUT', 'the topic does not answer');
  return [
    { name: 'topic fails', strike: async () => messages.map(() => ({ error: error() })) },
    {
      name: 'published, reported as failed',
      strike: async (work) =>
        (await work()).map((outcome) => (dice.chance(0.6) ? { error: error() } : outcome)),
    },
  ];
}

const refusals: readonly SimulatedFault[] = [
  { kind: 'status', status: 500, message: 'Internal error encountered.' },
  { kind: 'status', status: 503, message: 'The service is unavailable.' },
  { kind: 'status', status: 429, message: 'Too Many Requests: the request rate was exceeded.' },
  { kind: 'status', status: 403, message: 'Permission denied.' },
  { kind: 'html' },
  { kind: 'reset' },
  { kind: 'lost' },
  { kind: 'lost' },
  { kind: 'unreachable' },
  { kind: 'garbled', body: '{"name"' },
];

/** What is hardest to get right: as likely as so many other faults of a send. */
const LATE_SHARE = 6;

/** After these, the work was done. */
const worked: ReadonlySet<SimulatedFault['kind']> = new Set(['lost', 'garbled']);

/** A call of Earth Engine, as far as its faults need it. */
export interface EarthEngineCall {
  readonly kind: Extract<CallKind, 'export' | 'list' | 'get' | 'cancel'>;
  readonly deadlineMs: number;
  readonly isAborted: () => boolean;
  /** Earth Engine refuses it: then no fault may come before that and still have the work done. */
  readonly isRefused: boolean;
}

export function earthEngineFaults<R>(
  world: World,
  { kind, isAborted, deadlineMs, isRefused }: EarthEngineCall,
): Fault<R>[] {
  const { harness, timeline, plan } = world;
  const leftMs = () => Math.max(0, deadlineMs - timeline.nowMs());
  const faults = isRefused ? refusals.filter((fault) => !worked.has(fault.kind)) : refusals;
  const simulated = faults.map((fault): Fault<R> => {
    const name = fault.kind === 'status' ? String(fault.status) : fault.kind;
    return {
      name: `Earth Engine: ${name}`,
      strike: (work) => {
        // A call that is given up before it is sent would leave the fault to the next one.
        if (!isAborted()) {
          harness.simulator.failNext(kind, fault);
        }
        return work();
      },
    };
  });
  if (kind !== 'export') {
    return [...simulated, { name: 'Earth Engine: time-out', strike: timeOut }];
  }
  const hasProxy = plan.features.has('proxy-answers') && !isRefused;
  const { lateMs } = plan.weather;
  return [
    ...simulated,
    ...(hasProxy ? [proxyAnswers<R>(world)] : []),
    {
      name: 'Earth Engine: time-out, arrives late',
      strike: (work) => {
        arriveLate(world, leftMs() + lateMs, work);
        return timeOut();
      },
    },
    ...Array.from({ length: LATE_SHARE }, () => ({
      name: 'Earth Engine: reset, arrives late',
      strike: (work: () => Promise<R>) => {
        arriveLate(world, lateMs, work);
        return Promise.reject(lost(kind, new TypeError('fetch failed', { cause: connectionReset() })));
      },
    })),
  ];

  async function timeOut(): Promise<never> {
    await timeline.sleep(leftMs());
    const reason = new DOMException('The operation was aborted due to timeout', 'TimeoutError');
    throw lost(kind, reason, AbortSignal.abort(reason));
  }
}

/** Earth Engine gets the request within `withinMs`. Its answer gets nowhere. */
function arriveLate(world: World, withinMs: number, work: () => Promise<unknown>): void {
  const { timeline, dice, plan } = world;
  const afterMs = plan.weather.isLatest ? withinMs - dice.whole(0, SECOND_MS) : dice.whole(0, withinMs);
  world.keepGoing(async () => {
    await timeline.sleep(afterMs);
    world.note(() => 'late request arrives');
    await work().catch(() => undefined);
  });
}

/** Earth Engine does the work, and a proxy on the way back answers in its own words. */
function proxyAnswers<R>({ dice, harness }: World): Fault<R> {
  return {
    name: 'answered by a proxy',
    strike: async (work) => {
      await work();
      const httpStatus = dice.pick([400, 404, 413, 499]);
      const body = dice.pick(['', `<!DOCTYPE html><title>Error ${httpStatus}</title>`]);
      const answer = { httpStatus, body, retryAfter: null };
      throw responseError({ kind: 'export', name: 'the export call' }, answer, harness.clock.now());
    },
  };
}

/** The answer to a send lacks the description, by whose end an operation is found. */
export const noMarker: Fault<Operation> = {
  name: 'answered without marker',
  strike: async (work) => ({ ...(await work()), description: undefined }),
};

const connectionReset = () => Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });

const lost = (kind: EarthEngineCall['kind'], error: Error, signal = new AbortController().signal) =>
  connectionError({ kind, name: `the ${kind} call` }, error, signal);

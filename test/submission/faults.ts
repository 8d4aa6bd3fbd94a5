import { EarthEngineError } from '../../shared/earth-engine/api.ts';
import type { Services } from '../../shared/services.ts';
import type { Documents, Records, Store } from '../../shared/store/store.ts';
import type { TestClock } from '../harness.ts';

/** One process of the service that dies at one step of its calls to the outside, or whose call fails there. */

export const faultKinds = ['crash before', 'crash after', 'error', 'timeout', 'lost answer'] as const;
export type FaultKind = (typeof faultKinds)[number];

export interface Fault {
  /** Such as `records.create`, `ee.startExport`, `events.publish`. */
  readonly step: string;
  /** The first call of the step is 1. */
  readonly occurrence: number;
  readonly kind: FaultKind;
}

/** The process is dead: nothing that it still does has an effect. */
class Crash extends Error {
  override readonly name = 'Crash';
}

export interface FaultyProcess {
  wrap(services: Services): Services;
  isDead(): boolean;
  /** Whether the fault happened. */
  hasFailed(): boolean;
  /** The steps that it called, in order. */
  readonly steps: readonly string[];
}

const CALL_MS = 20_000;

export function createFaultyProcess(clock: TestClock, fault?: Fault): FaultyProcess {
  const steps: string[] = [];
  let calls = 0;
  let dead = false;
  let failed = false;

  const die = (): never => {
    dead = true;
    throw new Crash('the process died');
  };

  async function call<R>(step: string, work: () => Promise<R>, fail: () => R): Promise<R> {
    if (dead) {
      return die();
    }
    steps.push(step);
    if (step === fault?.step) {
      calls += 1;
    }
    if (step !== fault?.step || calls !== fault.occurrence) {
      const result = await work();
      // The call succeeded, but the process may have died meanwhile.
      return dead ? die() : result;
    }
    failed = true;
    switch (fault.kind) {
      case 'crash before':
        return die();
      case 'crash after':
        await work();
        return die();
      case 'error':
        return fail();
      case 'timeout':
        clock.advance(CALL_MS);
        return fail();
      case 'lost answer':
        await work();
        return fail();
    }
  }

  const storeFails = (): never => {
    throw new Error('the store does not answer');
  };
  const earthEngineFails = (): never => {
    const reply = 'no answer';
    throw new EarthEngineError('UNANSWERED', {
      message: reply,
      httpStatus: 503,
      status: 'UNAVAILABLE',
      reply,
    });
  };

  function documents<T>(name: string, inner: Documents<T>): Documents<T> {
    return {
      get: (...args) => call(`${name}.get`, () => inner.get(...args), storeFails),
      getMany: (...args) => call(`${name}.getMany`, () => inner.getMany(...args), storeFails),
      create: (...args) => call(`${name}.create`, () => inner.create(...args), storeFails),
      replace: (...args) => call(`${name}.replace`, () => inner.replace(...args), storeFails),
      find: (...args) => call(`${name}.find`, () => inner.find(...args), storeFails),
      count: (...args) => call(`${name}.count`, () => inner.count(...args), storeFails),
      sum: (...args) => call(`${name}.sum`, () => inner.sum(...args), storeFails),
      watch: (...args) => inner.watch(...args),
    };
  }

  function faultyRecords(inner: Records): Records {
    return {
      ...documents('records', inner),
      create: (...args) => call('records.create', () => inner.create(...args), storeFails),
      replace: (...args) => call('records.replace', () => inner.replace(...args), storeFails),
      readRequest: (...args) => call('records.readRequest', () => inner.readRequest(...args), storeFails),
      defer: (...args) => call('records.defer', () => inner.defer(...args), storeFails),
    };
  }

  function faultyStore(inner: Store): Store {
    return {
      records: faultyRecords(inner.records),
      projects: documents('projects', inner.projects),
      sweeps: documents('sweeps', inner.sweeps),
      lists: documents('lists', inner.lists),
      rejectedMessages: documents('rejectedMessages', inner.rejectedMessages),
      batches: documents('batches', inner.batches),
      budgets: { ...inner.budgets, ...documents('budgets', inner.budgets) },
      budgetStatus: documents('budgetStatus', inner.budgetStatus),
      settings: documents('settings', inner.settings),
      close: () => inner.close(),
    };
  }

  return {
    steps,
    isDead: () => dead,
    hasFailed: () => failed,
    wrap: (services) => {
      const { earthEngine, publisher } = services;
      return {
        ...services,
        store: faultyStore(services.store),
        publisher: {
          publish: (topic, messages, timeoutMs) =>
            call(
              'events.publish',
              () => publisher.publish(topic, messages, timeoutMs),
              () => messages.map(() => ({ error: new Error('the topic does not answer') })),
            ),
          close: () => publisher.close(),
        },
        earthEngine: {
          startExport: (...args) =>
            call('ee.startExport', () => earthEngine.startExport(...args), earthEngineFails),
          getOperation: (...args) =>
            call('ee.getOperation', () => earthEngine.getOperation(...args), earthEngineFails),
          listOperations: (...args) =>
            call('ee.listOperations', () => earthEngine.listOperations(...args), earthEngineFails),
          cancelOperation: (...args) =>
            call('ee.cancelOperation', () => earthEngine.cancelOperation(...args), earthEngineFails),
          serviceAccount: () => earthEngine.serviceAccount(),
        },
      };
    },
  };
}

import { describe, expect, it } from 'vitest';

import { MINUTE_MS } from '../../shared/clock.ts';
import { EarthEngineError } from '../../shared/earth-engine/api.ts';
import type { Services } from '../../shared/services.ts';
import { isReadable, type Records, type Store } from '../../shared/store/store.ts';
import { createHarness, smallJob } from '../harness.ts';
import { type Behavior, behaviors, findViolations, play } from './scenario.ts';
import { findInjections } from './injections.ts';

/**
 * Does the matrix detect anything? Each test removes one safeguard from the product, and a slice of the matrix must
 * find it. With the safeguard in place, the same slice finds nothing.
 */

const changeRecords = (services: Services, change: (records: Records) => Partial<Records>): Services => {
  const { store } = services;
  const records: Records = { ...store.records, ...change(store.records) };
  const changed: Store = { ...store, records };
  return { ...services, store: changed };
};

/** The claim's precondition: `create` overwrites an existing document. */
const withoutClaimPrecondition = (services: Services): Services =>
  changeRecords(services, (records) => ({
    create: async (id, value, request) => {
      const outcome = await records.create(id, value, request);
      return 'existing' in outcome && isReadable(outcome.existing)
        ? { created: await records.replace(outcome.existing, value, request) }
        : outcome;
    },
  }));

/** The fence: `replace` ignores writes since the read. */
const withoutFence = (services: Services): Services =>
  changeRecords(services, (records) => ({
    replace: async (stored, next, request) => {
      const current = await records.get(stored.id);
      return records.replace(current && isReadable(current) ? current : stored, next, request);
    },
  }));

/** The stored bytes: the request is serialized again each time, as by another version of the serializer. */
const withoutStoredBytes = (services: Services): Services =>
  changeRecords(services, (records) => ({
    readRequest: async (id) => {
      const bytes = await records.readRequest(id);
      return Buffer.from(JSON.stringify(JSON.parse(new TextDecoder().decode(bytes)), undefined, 1));
    },
  }));

/** The search: lists are empty. */
const withoutSearch = (services: Services): Services => ({
  ...services,
  earthEngine: {
    ...services.earthEngine,
    listOperations: async () => ({ operations: [], nextPageToken: undefined }),
  },
});

const named = (name: string): Behavior => {
  const behavior = behaviors.find((each) => each.name.includes(name));
  if (!behavior) {
    throw new Error(`no behavior named ${name}`);
  }
  return behavior;
};

async function violationsOf(
  behavior: Behavior,
  delivery: 'once' | 'twice at once' | 'again after an hour',
  sabotage?: (services: Services) => Services,
): Promise<string[]> {
  const base = { behavior, delivery, seed: 1 };
  const found = new Set<string>();
  for (const at of await findInjections(base)) {
    if (at.process === 'submit' && at.fault.kind.startsWith('crash')) {
      const { violations } = await play({ ...base, at, ...(sabotage ? { sabotage } : {}) });
      violations.forEach((violation) => found.add(violation));
    }
  }
  return [...found];
}

describe('a slice of the matrix fails', () => {
  const forgetful: Behavior = {
    name: 'Earth Engine remembers an id for ten minutes',
    settings: { forgetIdsAfterMs: 10 * MINUTE_MS },
  };

  it('without the claim’s precondition: a delivery an hour later starts a duplicate', async () => {
    expect(await violationsOf(forgetful, 'again after an hour')).toEqual([]);
    expect(await violationsOf(forgetful, 'again after an hour', withoutClaimPrecondition)).toContain(
      '2 operations for one job',
    );
  });

  it('without the stored bytes: different bytes are sent', async () => {
    expect(await violationsOf(named('the list lags'), 'once')).toEqual([]);
    expect(await violationsOf(named('the list lags'), 'once', withoutStoredBytes)).toContainEqual(
      expect.stringMatching(/^different bytes were sent for ve1-/),
    );
  });

  it('without the adoption search: a refused id is given up although its operation is running', async () => {
    expect(await violationsOf(named('refuses a duplicate'), 'once')).toEqual([]);
    expect(await violationsOf(named('refuses a duplicate'), 'once', withoutSearch)).toContain(
      '2 operations for one job',
    );
  });

  it('without the fence: a late answer to a slow sender overwrites the operation', async () => {
    expect(await slowSender((services) => services)).toEqual([]);
    expect(await slowSender(withoutFence)).toContain('REJECTED has no operation at Earth Engine (of 1)');
  });
});

/**
 * A sender that gets its answer after its lease: meanwhile the poller sent the same request, and Earth Engine accepted
 * it.
 */
async function slowSender(sabotage: (services: Services) => Services): Promise<string[]> {
  const harness = createHarness();
  const posted = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<never>();
  const slow = harness.instance((services) =>
    sabotage({
      ...services,
      earthEngine: {
        ...services.earthEngine,
        startExport: () => {
          posted.resolve();
          return answer.promise;
        },
      },
    }),
  );
  const submitted = slow.submit({ data: smallJob() });
  await posted.promise;
  harness.clock.advance(3 * MINUTE_MS);
  await harness.poll();
  answer.reject(
    new EarthEngineError('REFUSED', {
      message: 'no',
      httpStatus: 400,
      status: 'INVALID_ARGUMENT',
      reply: 'no',
    }),
  );
  await submitted;
  await harness.untilQuiet();
  return findViolations(harness, {});
}

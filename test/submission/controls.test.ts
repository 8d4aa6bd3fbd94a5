import { describe, expect, it } from 'vitest';

import { MINUTE_MS } from '../../shared/clock.ts';
import { EarthEngineError } from '../../shared/earth-engine/api.ts';
import type { Services } from '../../shared/services.ts';
import { isReadable, type Records, type Store } from '../../shared/store/store.ts';
import { createHarness, smallJob } from '../harness.ts';
import { type Behaviour, behaviours, findViolations, play } from './scenario.ts';
import { findStrikes } from './strikes.ts';

/**
 * Does the matrix see anything at all? Here one thing that the promise rests on is taken out of the product, and a slice of
 * the matrix must find it. With the product whole the same slice finds nothing.
 */

const changeRecords = (services: Services, change: (records: Records) => Partial<Records>): Services => {
  const { store } = services;
  const records: Records = { ...store.records, ...change(store.records) };
  const changed: Store = { ...store, records };
  return { ...services, store: changed };
};

/** The claim's precondition: `create` writes whatever stands there. */
const withoutClaimPrecondition = (services: Services): Services =>
  changeRecords(services, (records) => ({
    create: async (id, value, request) => {
      const outcome = await records.create(id, value, request);
      return 'existing' in outcome && isReadable(outcome.existing)
        ? { created: await records.replace(outcome.existing, value, request) }
        : outcome;
    },
  }));

/** The fence: `replace` writes whatever was written since. */
const withoutFence = (services: Services): Services =>
  changeRecords(services, (records) => ({
    replace: async (stored, next, request) => {
      const current = await records.get(stored.id);
      return records.replace(current && isReadable(current) ? current : stored, next, request);
    },
  }));

/** The stored bytes: the request is made anew each time, as another version of a serialiser would. */
const withoutStoredBytes = (services: Services): Services =>
  changeRecords(services, (records) => ({
    readRequest: async (id) => {
      const bytes = await records.readRequest(id);
      return Buffer.from(JSON.stringify(JSON.parse(new TextDecoder().decode(bytes)), undefined, 1));
    },
  }));

/** The search: lists show nothing. */
const withoutSearch = (services: Services): Services => ({
  ...services,
  earthEngine: {
    ...services.earthEngine,
    listOperations: async () => ({ operations: [], nextPageToken: undefined }),
  },
});

const named = (name: string): Behaviour => {
  const behaviour = behaviours.find((each) => each.name.includes(name));
  if (!behaviour) {
    throw new Error(`no behaviour named ${name}`);
  }
  return behaviour;
};

async function violationsOf(
  behaviour: Behaviour,
  delivery: 'once' | 'twice at once' | 'again after an hour',
  sabotage?: (services: Services) => Services,
): Promise<string[]> {
  const base = { behaviour, delivery, seed: 1 };
  const found = new Set<string>();
  for (const at of await findStrikes(base)) {
    if (at.process === 'submit' && at.fault.kind.startsWith('crash')) {
      const { violations } = await play({ ...base, at, ...(sabotage ? { sabotage } : {}) });
      violations.forEach((violation) => found.add(violation));
    }
  }
  return [...found];
}

describe('a slice of the matrix, with something taken out', () => {
  const forgetful: Behaviour = {
    name: 'EE remembers an id for ten minutes',
    settings: { forgetIdsAfterMs: 10 * MINUTE_MS },
  };

  it('without the claim’s precondition: a delivery an hour later makes a double', async () => {
    expect(await violationsOf(forgetful, 'again after an hour')).toEqual([]);
    expect(await violationsOf(forgetful, 'again after an hour', withoutClaimPrecondition)).toContain(
      '2 operations for one job',
    );
  });

  it('without the stored bytes: EE is sent different ones', async () => {
    expect(await violationsOf(named('the list lags'), 'once')).toEqual([]);
    expect(await violationsOf(named('the list lags'), 'once', withoutStoredBytes)).toContainEqual(
      expect.stringMatching(/^different bytes were sent for ve1-/),
    );
  });

  it('without the adoption search: a refused id is given up though its operation runs', async () => {
    expect(await violationsOf(named('refuses a duplicate'), 'once')).toEqual([]);
    expect(await violationsOf(named('refuses a duplicate'), 'once', withoutSearch)).toContain(
      '2 operations for one job',
    );
  });

  it('without the fence: what a slow sender hears late overwrites the operation', async () => {
    expect(await slowSender((services) => services)).toEqual([]);
    expect(await slowSender(withoutFence)).toContain('REJECTED has no operation of its own at EE (of 1)');
  });
});

/** A sender that is answered after its lease: meanwhile the poller sent the same, and EE took it. */
async function slowSender(sabotage: (services: Services) => Services): Promise<string[]> {
  const harness = createHarness();
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<never>();
  const slow = harness.instance((services) =>
    sabotage({
      ...services,
      earthEngine: {
        ...services.earthEngine,
        startExport: () => {
          asked.resolve();
          return answer.promise;
        },
      },
    }),
  );
  const submitted = slow.submit({ data: smallJob() });
  await asked.promise;
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

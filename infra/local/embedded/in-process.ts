import type { Config } from '../../../shared/config.ts';
import { createEarthEngine } from '../../../shared/earth-engine/client.ts';
import { policyOf } from '../../../shared/record/policy.ts';
import type { Services } from '../../../shared/services.ts';
import type { CloudStorage } from '../../../shared/storage/api.ts';
import { createGate, type Gate } from '../../../shared/submission/gate.ts';
import { createQuotaWatch } from '../../../shared/submission/quota-watch.ts';
import { createMemoryStore, type MemoryStore } from '../memory/store.ts';
import {
  createSimulator,
  simulatorFetch,
  type Simulator,
  type SimulatorSettings,
} from '../simulator/index.ts';
import { deliver, type DeliveryRule } from '../storage/deliver.ts';
import { inProcessStorage } from '../storage/in-process.ts';
import { createStorage, type SimulatedStorage } from '../storage/storage.ts';

/** The service's own code in this process, with everything around it in memory. */
export interface InProcess {
  readonly services: Services & { readonly store: MemoryStore };
  readonly gate: Gate;
  readonly simulator: Simulator;
  readonly buckets: SimulatedStorage;
  readonly cloudStorage: CloudStorage;
}

/** The in-memory store passes the same contract tests as Firestore's. */
export function createInProcess({
  simulator: settings,
  deliveries,
  ...given
}: Pick<Services, 'clock' | 'config' | 'log' | 'newToken' | 'publisher' | 'random' | 'stopping'> & {
  readonly config: Config;
  readonly simulator: Partial<SimulatorSettings>;
  readonly deliveries: readonly DeliveryRule[];
}): InProcess {
  const { clock, config } = given;
  const buckets = createStorage({ now: () => clock.now(), advance: () => void simulator.counters() });
  const cloudStorage = inProcessStorage(buckets);
  const simulator = createSimulator({
    settings,
    now: () => clock.now(),
    onEnd: (operation) => deliver(buckets, operation, deliveries),
  });
  const store = createMemoryStore();
  const services = {
    ...given,
    policy: policyOf(config),
    store,
    earthEngine: createEarthEngine({
      url: config.earthEngineUrl,
      fetch: simulatorFetch(simulator),
      observer: createQuotaWatch({ ...given, store }),
    }),
    storage: async () => cloudStorage,
  };
  return { services, gate: createGate(services), simulator, buckets, cloudStorage };
}

import { createProcess, type FuzzProcess } from './process.ts';
import { accounts } from './plan.ts';
import type { World } from './world.ts';

/** The processes that there are: instances that serve one message after another until they die. */
export interface Fleet {
  submitter(): FuzzProcess;
  /** A poller that is idle, if there is one. */
  idlePoller(): Poller | undefined;
  /** A process for one piece of work. */
  single(kind: 'batch' | 'cancel' | 'operator'): FuzzProcess;
}

export interface Poller {
  poll(work: (process: FuzzProcess) => Promise<unknown>): Promise<void>;
}

const SUBMITTERS = 2;

export function createFleet(world: World): Fleet {
  const { dice, plan } = world;
  const hasAccounts = plan.settings.tokens !== undefined;
  const [first, second] = hasAccounts ? Object.keys(accounts) : [];
  let made = 0;
  const make = (kind: string, account: string | undefined): FuzzProcess => {
    made += 1;
    return createProcess(world, `${kind}#${made}`, account);
  };
  const slots = (kind: string, count: number, account: string | undefined) => {
    const inSlot: FuzzProcess[] = [];
    return Array.from({ length: count }, (_, slot) => (): FuzzProcess => {
      const process = inSlot[slot];
      const current = process === undefined || process.isDead() ? make(kind, account) : process;
      inSlot[slot] = current;
      return current;
    });
  };
  const submitters = slots('submit', SUBMITTERS, first);
  const pollers = slots('poll', plan.pollers, second).map((process) => {
    let isPolling = false;
    return {
      isPolling: () => isPolling,
      poll: async (work: (process: FuzzProcess) => Promise<unknown>): Promise<void> => {
        isPolling = true;
        try {
          await work(process());
        } finally {
          isPolling = false;
        }
      },
    };
  });
  return {
    submitter: () => dice.pick(submitters)(),
    idlePoller: () => pollers.find((poller) => !poller.isPolling()),
    single: (kind) => make(kind, first),
  };
}

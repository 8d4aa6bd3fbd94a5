import type { CallKind, Fault, Simulator } from '../../infra/local/simulator/index.ts';
import { setTimeout as wait } from 'node:timers/promises';

import type { Fleet } from './fleet.ts';
import { earthEngineProjects } from './messages.ts';
import type { Tally } from './tally.ts';
import type { TcpGate } from './tcp-gate.ts';

/** What goes wrong, and how often. All of it is drawn from one seed. */

/** Chances of one export call; of lists and reads a third of that. */
const exportFaults: readonly (readonly [chance: number, name: string, fault: Fault])[] = [
  [0.04, '429', { kind: 'status', status: 429, message: 'Too Many Requests', retryAfter: '1' }],
  [0.05, '500', { kind: 'status', status: 500, message: 'Internal error.' }],
  [0.05, '502 in HTML', { kind: 'html' }],
  [0.05, 'reset before the work', { kind: 'reset' }],
  [0.08, 'reset after the work', { kind: 'lost' }],
  [0.04, 'silence before the work', { kind: 'silence' }],
  [0.04, 'silence after the work', { kind: 'silence', worked: true }],
  [0.04, 'slow answer', { kind: 'slow', ms: 1500 }],
  [0.04, 'garbled answer', { kind: 'garbled', body: '{"name":' }],
];
const OTHER_CALLS = 1 / 3;

/** What goes wrong with the next call of Earth Engine, if anything. */
export function drawFault(call: CallKind, random: () => number, tally: Tally): Fault | undefined {
  let chance = random() / (call === 'export' ? 1 : OTHER_CALLS);
  for (const [share, name, fault] of exportFaults) {
    if (chance < share) {
      // A silent list is waited for much longer than this run lasts: a slow one tells as much.
      const told: Fault = fault.kind === 'silence' && call !== 'export' ? { kind: 'slow', ms: 2500 } : fault;
      tally.count(`fault:${told === fault ? name : 'slow answer'}`);
      return told;
    }
    chance -= share;
  }
  return undefined;
}

type Span = readonly [fromMs: number, toMs: number];

/** What is done to the stack, how long after the last time, for how long. */
const plan = {
  end: { pauseMs: [500, 2000] },
  cutFirestore: { pauseMs: [1500, 5500], lastsMs: [200, 3000] },
  cutPubsub: { pauseMs: [5000, 12_000], lastsMs: [500, 3000] },
  fillQueue: { pauseMs: [5000, 10_000], lastsMs: [1500, 4000] },
  hold: { pauseMs: [1500, 4000], lastsMs: [500, 4000] },
} as const satisfies Record<string, { readonly pauseMs: Span; readonly lastsMs?: Span }>;
const KILLED = 0.75;

export interface Havoc {
  readonly fleets: readonly Fleet[];
  readonly firestore: TcpGate;
  readonly pubsub: TcpGate;
  readonly simulator: Simulator;
  readonly random: () => number;
  readonly tally: Tally;
}

/** Breaks things until `signal`; when it resolves, everything is whole again. */
export async function wreakHavoc(havoc: Havoc, signal: AbortSignal): Promise<void> {
  const { fleets, firestore, pubsub, simulator, random, tally } = havoc;
  const between = ([from, to]: Span): number => from + random() * (to - from);
  const pause = (ms: number): Promise<void> =>
    wait(ms, undefined, { signal }).then(
      () => undefined,
      () => undefined,
    );
  const again = async (pauseMs: Span, act: () => Promise<void>): Promise<void> => {
    for (;;) {
      await pause(between(pauseMs));
      if (signal.aborted) {
        return;
      }
      await act();
    }
  };

  const endOne = async (): Promise<void> => {
    const fleet = fleets[Math.floor(random() * fleets.length)];
    const index = Math.floor(random() * (fleet?.addresses().length ?? 0));
    fleet?.end(index, random() < KILLED ? 'SIGKILL' : 'SIGTERM');
  };
  const cut = async (gate: TcpGate, name: string, lastsMs: Span): Promise<void> => {
    tally.count(`cut:${name}`);
    gate.cut();
    await pause(between(lastsMs));
    gate.restore();
  };
  const fillQueue = async (): Promise<void> => {
    const project = earthEngineProjects[Math.floor(random() * earthEngineProjects.length)] ?? '';
    tally.count('queue filled by others');
    simulator.setOthers(project, { pending: simulator.settings.queueLimit });
    await pause(between(plan.fillQueue.lastsMs));
    simulator.setOthers(project, {});
  };
  let holding = false;
  const hold = async (): Promise<void> => {
    if (holding) {
      return;
    }
    holding = true;
    const held = simulator.holdNext(random() < 0.5 ? 'RESET' : 'SILENCE');
    const lateMs = between(plan.hold.lastsMs);
    // Caught whenever the next request comes, which may be after the noise: it arrives late all the same.
    const arriveLate = async (): Promise<void> => {
      await held.caught;
      tally.count('fault:request arrives late');
      await wait(lateMs);
      holding = false;
      await held.release();
    };
    void arriveLate();
  };

  await Promise.all([
    again(plan.end.pauseMs, endOne),
    again(plan.cutFirestore.pauseMs, () => cut(firestore, 'Firestore', plan.cutFirestore.lastsMs)),
    again(plan.cutPubsub.pauseMs, () => cut(pubsub, 'Pub/Sub', plan.cutPubsub.lastsMs)),
    again(plan.fillQueue.pauseMs, fillQueue),
    again(plan.hold.pauseMs, hold),
  ]);
}

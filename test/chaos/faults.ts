import type { CallKind, Fault, Simulator } from '../../infra/local/simulator/index.ts';
import { setTimeout as wait } from 'node:timers/promises';

import type { Fleet } from './fleet.ts';
import { earthEngineProjects } from './messages.ts';
import type { Tally } from './tally.ts';
import type { TcpGate } from './tcp-gate.ts';

/** The faults and how often they occur. All of them are drawn from one seed. */

/** The probability of each fault for one export call; for other calls, a third of it. */
const exportFaults: readonly (readonly [chance: number, name: string, fault: Fault])[] = [
  [0.04, '429', { kind: 'status', status: 429, message: 'Too Many Requests', retryAfter: '1' }],
  [0.05, '500', { kind: 'status', status: 500, message: 'Internal error.' }],
  [0.05, '502 in HTML', { kind: 'html' }],
  [0.05, 'reset before the work', { kind: 'reset' }],
  [0.08, 'reset after the work', { kind: 'lost' }],
  [0.04, 'silence before the work', { kind: 'silence' }],
  [0.04, 'silence after the work', { kind: 'silence', worked: true }],
  [0.04, 'slow response', { kind: 'slow', ms: 1500 }],
  [0.04, 'garbled response', { kind: 'garbled', body: '{"name":' }],
];
const OTHER_CALLS = 1 / 3;

/** The fault of the next call of Earth Engine, if it has one. */
export function drawFault(call: CallKind, random: () => number, tally: Tally): Fault | undefined {
  let chance = random() / (call === 'export' ? 1 : OTHER_CALLS);
  for (const [share, name, fault] of exportFaults) {
    if (chance < share) {
      // The wait for a silent list is much longer than this run; a slow list tests the same.
      const drawn: Fault = fault.kind === 'silence' && call !== 'export' ? { kind: 'slow', ms: 2500 } : fault;
      tally.count(`fault:${drawn === fault ? name : 'slow response'}`);
      return drawn;
    }
    chance -= share;
  }
  return undefined;
}

type Span = readonly [fromMs: number, toMs: number];

/** For each disturbance: the pause before it, and how long it lasts. */
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

/** Disturbs the stack until `signal`. When it resolves, everything works again. */
export async function wreakHavoc(havoc: Havoc, signal: AbortSignal): Promise<void> {
  const { fleets, firestore, pubsub, simulator, random, tally } = havoc;
  const between = ([from, to]: Span): number => from + random() * (to - from);
  const pause = (ms: number): Promise<void> =>
    wait(ms, undefined, { signal }).then(
      () => undefined,
      () => undefined,
    );
  const repeat = async (pauseMs: Span, act: () => Promise<void>): Promise<void> => {
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
    tally.count('queue filled by other users');
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
    // The next request may come after the last disturbance, but still arrives late.
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
    repeat(plan.end.pauseMs, endOne),
    repeat(plan.cutFirestore.pauseMs, () => cut(firestore, 'Firestore', plan.cutFirestore.lastsMs)),
    repeat(plan.cutPubsub.pauseMs, () => cut(pubsub, 'Pub/Sub', plan.cutPubsub.lastsMs)),
    repeat(plan.fillQueue.pauseMs, fillQueue),
    repeat(plan.hold.pauseMs, hold),
  ]);
}

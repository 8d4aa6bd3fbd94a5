import { MINUTE_MS, SECOND_MS } from '../../shared/clock.ts';
import type { Fault } from './faults.ts';
import type { Weather } from './plan.ts';
import type { World } from './world.ts';

/** Whether a process lives, stands still or stops, and the faults that make it so. */
export interface Life {
  readonly stopping: AbortSignal;
  /** Rejects when the process dies. */
  readonly death: Promise<never>;
  readonly isDead: () => boolean;
  /** How long the process still stands still. */
  readonly pausedMs: () => number;
  /** What goes wrong with a call, if anything does. */
  readonly drawFault: <R>(step: Step, faults: () => readonly Fault<R>[]) => Fault<R> | undefined;
}

/** What kind of call it is, and its name in traces. */
export interface Step {
  readonly kind: keyof Weather['faultRates'];
  readonly name: string;
}

/** The process is gone. Its own code never gets this: it does not go on. */
export class Death extends Error {
  override readonly name = 'Death';
}

/** What a dead process waits for. */
export const forever = (): Promise<never> => new Promise(() => {});

const STOP_MS = 8 * SECOND_MS;
/** Shorter than a lease, and longer than a lease with T. */
const PAUSES_MS: readonly (readonly [number, number])[] = [
  [SECOND_MS, 2 * MINUTE_MS],
  [7 * MINUTE_MS, 14 * MINUTE_MS],
];

export function createLife(world: World, name: string): Life {
  const { timeline, dice, plan } = world;
  const { weather, features } = plan;
  const death = Promise.withResolvers<never>();
  death.promise.catch(() => undefined);
  const stopping = new AbortController();
  let dead = false;
  let pausedUntilMs = 0;

  const die = (): Promise<never> => {
    dead = true;
    death.reject(new Death(`${name} died`));
    return forever();
  };
  const deaths = <R>(): Fault<R>[] => [
    { name: 'dies before', strike: die },
    { name: 'dies after', strike: (work) => work().then(die, die) },
  ];
  const pause = <R>(): Fault<R> => ({
    name: 'process stands still',
    strike: (work) => {
      pausedUntilMs = timeline.nowMs() + dice.whole(...dice.pick(PAUSES_MS));
      return work();
    },
  });
  const stop = <R>(): Fault<R> => ({
    name: 'process is asked to stop',
    strike: (work) => {
      world.keepGoing(async () => {
        stopping.abort(new Error('SIGTERM'));
        await timeline.sleep(STOP_MS);
        void die();
      });
      return work();
    },
  });
  return {
    stopping: stopping.signal,
    death: death.promise,
    isDead: () => dead,
    pausedMs: () => Math.max(0, pausedUntilMs - timeline.nowMs()),
    drawFault: <R>({ kind, name: step }: Step, faults: () => readonly Fault<R>[]) => {
      if (dead || !world.isRough()) {
        return undefined;
      }
      if (kind === 'write' && step.startsWith('records.') && dice.chance(weather.pauseRate)) {
        return pause<R>();
      }
      if (!dice.chance(weather.faultRates[kind])) {
        return undefined;
      }
      const isSend = kind === 'export';
      const own = faults().filter((fault) => !isSend || weather.sendFaults.test(fault.name));
      const choice = dice.random();
      if (choice < (isSend ? 0.1 : 0.25) || own.length === 0) {
        return dice.pick(deaths<R>());
      }
      return choice > 0.93 && features.has('pauses') ? dice.pick([pause<R>(), stop<R>()]) : dice.pick(own);
    },
  };
}

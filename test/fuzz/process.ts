import type { Services } from '../../shared/services.ts';
import { createGate, type Gate } from '../../shared/submission/gate.ts';
import { simulatedEarthEngine } from '../harness.ts';
import { type Caller, faultyEarthEngine, faultyPublisher, faultyStore } from './faulty-services.ts';
import { createLife, forever, type Life } from './life.ts';
import { SLOW_MS } from './plan.ts';
import type { World } from './world.ts';

/** One process of the service: its clock is off, its calls take time and go wrong, and it may die at any of them. */
export interface FuzzProcess {
  readonly name: string;
  readonly services: Services;
  readonly gate: Gate;
  readonly isDead: () => boolean;
  /** What the work comes to. @throws Death if the process dies first */
  readonly run: <R>(work: () => Promise<R>) => Promise<R>;
}

/** @param account whose credentials it has, if credentials matter */
export function createProcess(world: World, name: string, account?: string): FuzzProcess {
  const { timeline, dice, plan, harness } = world;
  const { skewMs: most } = plan.weather;
  const skewMs = most === 0 ? 0 : dice.whole(-most, most);
  const life = createLife(world, name);
  const call = createCaller(world, name, life);
  const earthEngine =
    account === undefined
      ? harness.services.earthEngine
      : simulatedEarthEngine(harness.simulator, harness.clock, account);
  const services = world.sabotage({
    ...harness.services,
    clock: {
      now: () => new Date(timeline.nowMs() + skewMs),
      sleep: async (ms, signal) => {
        signal?.throwIfAborted();
        await timeline.sleep(Math.max(ms, life.pausedMs()));
        if (life.isDead()) {
          return forever();
        }
        signal?.throwIfAborted();
      },
    },
    random: dice.random,
    stopping: life.stopping,
    store: faultyStore(world, call),
    publisher: faultyPublisher(world, call),
    earthEngine: faultyEarthEngine(world, earthEngine, call),
  });
  return {
    name,
    services,
    gate: createGate(services),
    isDead: life.isDead,
    run: (work) => Promise.race([work(), life.death]),
  };
}

/** One call: on its way, made or not, and its answer on the way back. */
function createCaller(world: World, name: string, life: Life): Caller {
  const { timeline, dice, plan } = world;
  const { latencyMs, slowShare } = plan.weather;
  const drawLatencyMs = (): number => {
    const [least, most] = latencyMs;
    return dice.chance(slowShare) ? dice.whole(most, SLOW_MS) : dice.whole(least, most);
  };
  return async (step, subject, faults, work, withinMs = Infinity) => {
    if (life.isDead()) {
      return forever();
    }
    await timeline.sleep(Math.min(drawLatencyMs(), withinMs));
    // What a process has sent may arrive after its death.
    if (life.isDead() && dice.chance(0.5)) {
      return forever();
    }
    const fault = life.drawFault(step, faults);
    const ending = fault ? `: ${fault.name.toUpperCase()}` : '';
    world.note(() => `${name} ${step.name} ${world.nameOf(subject)}${ending}`);
    const outcome = await (fault ? fault.strike(work) : work()).then(
      (value) => ({ value }),
      (error: unknown) => ({ error }),
    );
    world.watchOperations();
    const pausedMs = life.pausedMs();
    if (world.isRough() || pausedMs > 0) {
      await timeline.sleep(Math.max(drawLatencyMs(), pausedMs));
    }
    if (life.isDead()) {
      return forever();
    }
    if ('error' in outcome) {
      throw outcome.error;
    }
    return outcome.value;
  };
}

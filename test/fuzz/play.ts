import { HOUR_MS, MINUTE_MS } from '../../shared/clock.ts';
import { isTerminal, isInSubmission } from '../../shared/model/record.ts';
import { pollExports } from '../../shared/polling/poll.ts';
import { retryJobs } from '../../shared/retry/retry.ts';
import { type Broker, createBroker } from './broker.ts';
import type { Control } from './controls.ts';
import { hasEnded } from './facts.ts';
import type { Features } from './features.ts';
import { createFleet, type Fleet } from './fleet.ts';
import { Death } from './life.ts';
import { type Action, drawPlan } from './plan.ts';
import type { FuzzProcess } from './process.ts';
import { judge } from './verdict.ts';
import { createWorld, type World } from './world.ts';

/** Plays one seed from its first message until everything has come to an end. */

export interface Played {
  readonly violations: readonly string[];
  readonly trace: readonly string[];
}

export interface PlayOptions {
  readonly seed: number;
  readonly features: Features;
  readonly control?: Control | undefined;
  readonly isTraced?: boolean;
}

export async function play({ seed, features, control, isTraced = false }: PlayOptions): Promise<Played> {
  const plan = drawPlan(seed, features);
  const world = createWorld({ plan, isTraced, sabotage: control?.sabotage });
  const fleet = createFleet(world);
  const broker = createBroker(world, fleet, control);
  world.note(() => JSON.stringify({ ...plan, features: [...features] }));
  let isOver = false;
  const pace = { everyMs: MINUTE_MS };
  const rounds = playRounds(world, fleet, broker, pace).finally(() => {
    isOver = true;
  });
  void pollEveryMinute(world, fleet, pace, () => isOver);
  await world.timeline.run(() => isOver);
  await rounds;
  await judge(world);
  return { violations: world.violations, trace: world.trace };
}

/** How often pollers start. */
interface Pace {
  everyMs: number;
}

async function playRounds(world: World, fleet: Fleet, broker: Broker, pace: Pace): Promise<void> {
  const { timeline, plan } = world;
  for (const round of plan.rounds) {
    world.setRough(true);
    for (const { afterMs, action } of round.actions) {
      world.keepGoing(async () => {
        await timeline.sleep(afterMs);
        await act(world, fleet, broker, action);
      });
    }
    await timeline.sleep(round.roughMs);
    world.setRough(false);
    await passTime(world, round.passesMs.before, pace);
    if (!(await untilEnded(world, pace))) {
      return;
    }
    await passTime(world, round.passesMs.after, pace);
  }
}

/** Polls are rarer after that: what then remains waits for a time that is far away. */
const HURRY_MS = 20 * MINUTE_MS;
const RARELY_MS = 5 * MINUTE_MS;
const PATIENCE_MS = 8 * HOUR_MS;

/** @returns whether everything came to its end */
async function untilEnded(world: World, pace: Pace): Promise<boolean> {
  const { timeline, facts, plan } = world;
  const startMs = timeline.nowMs();
  const isQuiet = () => !world.isBusy() && hasEnded(facts);
  while (!isQuiet()) {
    const tookMs = timeline.nowMs() - startMs;
    if (tookMs > PATIENCE_MS + plan.longestRunMs * 4) {
      world.violated('no end', openEnds(world));
      return false;
    }
    pace.everyMs = tookMs < HURRY_MS ? MINUTE_MS : RARELY_MS;
    await timeline.sleep(pace.everyMs / 2);
  }
  // Further polls must find nothing to do.
  pace.everyMs = MINUTE_MS;
  await timeline.sleep(3 * MINUTE_MS);
  if (!isQuiet()) {
    world.note(() => 'not quiet after all');
    return untilEnded(world, pace);
  }
  return true;
}

function openEnds({ facts, nameOf, isBusy }: World): string {
  const records = [...facts.records]
    .filter(([, record]) => !isTerminal(record) || record.unpublishedEvents)
    .map(([id, { state, updatedAt }]) => `${nameOf(id)} is ${state} since ${updatedAt.toISOString()}`);
  const batches = [...facts.batches]
    .filter(([, { state, owesEvent }]) => state !== 'FINISHED' || owesEvent)
    .map(
      ([id, { state, published, existing = 0 }]) =>
        `batch ${id} is ${state}, ${published} published, ${existing} existing`,
    );
  return [...records, ...batches, ...(isBusy() ? ['work is under way'] : [])].join(', ');
}

const EXPIRY_POLL_MS = 12 * HOUR_MS;

/** Weeks, in which documents expire. */
async function passTime({ timeline, expire }: World, forMs: number, pace: Pace): Promise<void> {
  const untilMs = timeline.nowMs() + forMs;
  while (timeline.nowMs() < untilMs) {
    pace.everyMs = EXPIRY_POLL_MS;
    await timeline.sleep(EXPIRY_POLL_MS);
    expire(0.5);
  }
  pace.everyMs = MINUTE_MS;
}

async function pollEveryMinute(world: World, fleet: Fleet, pace: Pace, isOver: () => boolean): Promise<void> {
  const { timeline, dice } = world;
  await timeline.sleep(dice.whole(0, MINUTE_MS));
  while (!isOver()) {
    // Two at once, in some of the runs of a schedule that has two pollers.
    for (let n = dice.whole(1, world.plan.pollers); n > 0; n -= 1) {
      void fleet.idlePoller()?.poll((process) => pollOnce(world, process));
    }
    await timeline.sleep(pace.everyMs);
  }
}

async function pollOnce(world: World, process: FuzzProcess): Promise<void> {
  const wasRough = world.isRough();
  const { services, gate } = process;
  world.note(() => `${process.name} polls`);
  try {
    await process.run(() => pollExports(services, gate));
  } catch (error) {
    world.note(() => `${process.name} fails: ${String(error)}`);
    if (!wasRough && !world.isRough() && !(error instanceof Death)) {
      world.violated('poll failed', String(error));
    }
  }
}

async function act(world: World, fleet: Fleet, broker: Broker, action: Action): Promise<void> {
  const { harness, timeline, plan, facts, dice } = world;
  world.note(() => `── ${JSON.stringify(action)}`);
  switch (action.kind) {
    case 'publish':
      return broker.publishJob(action.job, action.attempt);
    case 'publish nonsense':
      return broker.publishNonsense();
    case 'expand':
      return broker.publishManifest(action.batch);
    case 'cancel':
      return broker.publishCancellation(action.cancellation);
    case 'deliver cancellations again':
      return broker.deliverCancellationsAgain();
    case 'retry':
      return retry(world, fleet.single('operator'), action);
    case 'damage a request': {
      const open = [...facts.records].filter(([, record]) => isInSubmission(record)).map(([id]) => id);
      for (const id of dice.some(open, 0.5)) {
        facts.lostRequests.add(id);
        facts.damaged.add(id);
      }
      return;
    }
    case 'fill the queue': {
      const { project, forMs } = action;
      harness.simulator.setOthers(project, { ended: plan.listed, pending: 1000 });
      await timeline.sleep(forMs);
      harness.simulator.setOthers(project, { ended: plan.listed });
      return;
    }
  }
}

async function retry(
  world: World,
  { run, services }: FuzzProcess,
  { selection, force }: Extract<Action, { kind: 'retry' }>,
): Promise<void> {
  const result = await run(() => retryJobs(services, selection, { force })).catch((error: unknown) =>
    world.note(() => `retry failed: ${String(error)}`),
  );
  for (const { recordId } of result?.attempts ?? []) {
    if (!world.facts.createdMs.has(recordId)) {
      world.violated('job lost', `${world.nameOf(recordId)} was reported as retried`);
    }
  }
}

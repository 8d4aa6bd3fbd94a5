import { isTerminal } from '../../shared/model/record.ts';
import { arrivals, endings } from './earth-engine.ts';
import { allRules, cancellation, type Move, movesOf, type Rules, tick } from './protocol.ts';
import { type Budget, fingerprint, type Process, type World } from './world.ts';

/** Every world that one job can reach, breadth first: the first violation found is a shortest one. */

export interface Exploration {
  readonly states: number;
  /** Whether every reachable world was explored. */
  readonly complete: boolean;
  readonly violation: { readonly what: string; readonly steps: readonly string[] } | undefined;
}

export interface Options {
  readonly budget: Partial<Budget>;
  readonly maxStates: number;
  readonly rules?: Partial<Rules>;
  /** The service account of the pollers, if it differs from that of the deliveries. */
  readonly pollersAccount?: string;
  readonly deliveries?: number;
  readonly pollers?: number;
  readonly dropsMarkers?: boolean;
}

/** One in this many worlds is played to its end; of the worlds without a budget, one in seven. */
const LIVENESS_EVERY = 97;
const MAX_STEPS_TO_END = 200;

const none: Budget = {
  crash: 0,
  unanswered: 0,
  refusal: 0,
  queueFull: 0,
  refusedForGood: 0,
  cancel: 0,
  lag: 0,
  hide: 0,
  long: 0,
  noSlot: 0,
};

function begin(options: Options): World {
  const { budget, pollersAccount = 'a', deliveries = 2, pollers = 2, dropsMarkers = false } = options;
  const delivery = (): Process => ({ kind: 'delivery', account: 'a', at: 'ready' });
  const poller = (): Process => ({ kind: 'poller', account: pollersAccount, at: 'ready' });
  return {
    nowMs: 0,
    record: undefined,
    version: 0,
    storedId: `ve1-${'a'.repeat(32)}`,
    ids: {},
    operations: [],
    inFlight: [],
    processes: [...Array.from({ length: deliveries }, delivery), ...Array.from({ length: pollers }, poller)],
    budget: { ...none, ...budget },
    tokens: 0,
    dropsMarkers,
    list: undefined,
  };
}

export function explore(options: Options): Exploration {
  const rules = { ...allRules, ...options.rules };
  const start = begin(options);
  const seen = new Set([fingerprint(start)]);
  /** The world before each world, and the move: the way back for a counterexample. */
  const ways: { readonly from: number; readonly what: string }[] = [{ from: -1, what: 'start' }];
  let frontier: { readonly world: World; readonly id: number }[] = [{ world: start, id: 0 }];

  const wayTo = (id: number): string[] => {
    const steps: string[] = [];
    for (let at = id; at > 0; at = ways[at]?.from ?? -1) {
      steps.unshift(ways[at]?.what ?? '');
    }
    return steps;
  };
  const result = (complete: boolean, what?: string, id = 0): Exploration => ({
    states: seen.size,
    complete,
    violation: what === undefined ? undefined : { what, steps: wayTo(id) },
  });

  while (frontier.length > 0) {
    const next: { world: World; id: number }[] = [];
    for (const { world, id } of frontier) {
      for (const move of moves(world, rules)) {
        const key = fingerprint(move.world);
        if (seen.has(key)) {
          continue;
        }
        seen.add(key);
        ways.push({ from: id, what: move.what });
        const reached = ways.length - 1;
        const broken =
          violationOf(move.world) ?? (isProbed(move.world, reached) ? stuck(move.world, rules) : undefined);
        if (broken !== undefined) {
          return result(false, broken, reached);
        }
        if (seen.size >= options.maxStates) {
          return result(false);
        }
        next.push({ world: move.world, id: reached });
      }
    }
    frontier = next;
  }
  return result(true);
}

/** One random schedule, deeper than breadth-first search gets. */
export function walk(options: Options & { readonly random: () => number }, length: number): Exploration {
  const rules = { ...allRules, ...options.rules };
  let world = begin(options);
  const steps: string[] = [];
  for (let step = 0; step < length; step += 1) {
    const possible = moves(world, rules);
    const move = possible[Math.floor(options.random() * possible.length)];
    if (!move) {
      break;
    }
    world = move.world;
    steps.push(move.what);
    const what = violationOf(world);
    if (what !== undefined) {
      return { states: step, complete: false, violation: { what, steps } };
    }
  }
  const what = stuck(world, rules);
  return { states: length, complete: false, violation: what === undefined ? undefined : { what, steps } };
}

function moves(world: World, rules: Rules): Move[] {
  const own = world.processes.flatMap((_, index) => [
    ...movesOf(world, index, rules),
    ...crashes(world, index),
  ]);
  return [...own, ...cancellation(world, rules), ...arrivals(world), ...endings(world), tick(world)];
}

/** A process dies between two of its steps: its message is redelivered, or Cloud Scheduler calls another poller. */
function crashes(world: World, index: number): Move[] {
  const process = world.processes[index];
  if (!process || process.at === 'ready' || process.at === 'done' || world.budget.crash === 0) {
    return [];
  }
  const { kind, account } = process;
  const processes = world.processes.map((other, place) =>
    place === index ? ({ kind, account, at: 'ready' } as const) : other,
  );
  const budget = { ...world.budget, crash: world.budget.crash - 1 };
  return [{ what: `${kind} ${index + 1}: dies (${process.at})`, world: { ...world, processes, budget } }];
}

/** No schedule duplicates a job, and none ends it while Earth Engine may still run it. */
function violationOf({ record, operations, inFlight }: World): string | undefined {
  if (operations.length > 1) {
    return 'two operations for one job';
  }
  // LOST promises nothing: an operation may exist.
  if (
    record &&
    isTerminal(record) &&
    record.state !== 'LOST' &&
    !('operation' in record && record.operation !== undefined)
  ) {
    if (operations.length > 0) {
      return `${record.state} although Earth Engine has an operation`;
    }
    if (inFlight.length > 0) {
      return `${record.state} although a request is in flight`;
    }
  }
  return undefined;
}

const isProbed = ({ budget }: World, index: number): boolean =>
  index % LIVENESS_EVERY === 0 || (index % 7 === 0 && Object.values(budget).every((left) => left === 0));

/** No schedule loses a job or leaves it stuck: if nothing else fails and all processes die once, a poller ends it. */
function stuck(world: World, rules: Rules): string | undefined {
  const account = world.processes.at(-1)?.account ?? 'a';
  const poller: Process = { kind: 'poller', account, at: 'ready' };
  const delivery: Process = { kind: 'delivery', account: 'a', at: 'ready' };
  let current: World = {
    ...world,
    budget: none,
    // A message is acknowledged only when its job has a record.
    processes: world.record ? [poller] : [delivery, poller],
  };
  for (let step = 0; step < MAX_STEPS_TO_END; step += 1) {
    if (current.record && isTerminal(current.record)) {
      return undefined;
    }
    const [move] = current.processes.flatMap((_, index) => movesOf(current, index, rules));
    const [event] = [...arrivals(current), ...(move ? [] : endings(current))];
    current = (move ?? event ?? tick(current)).world;
    // Time passes in any case, even if a poller finds something in every step.
    if (step % 4 === 3) {
      current = tick(current).world;
    }
  }
  return `stuck in ${current.record?.state ?? 'no record'}`;
}

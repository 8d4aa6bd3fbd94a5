import { createHeap } from './heap.ts';
import { isEnded, type SimulatedOperation, type SimulatedState } from './operation.ts';
import type { SimulatorSettings } from './settings.ts';

/**
 * One project's batch queue: operations wait, start by priority and age as slots and the start rate allow, run and end.
 *
 * Nothing moves by itself: `advance` plays every event up to now in order, so a clock that runs a thousand times faster,
 * or jumps a day, gives the same history.
 */
export interface Queue {
  add(operation: SimulatedOperation): void;
  advance(nowMs: number): void;
  cancel(operation: SimulatedOperation, nowMs: number): void;
  /** Ends it at once, whatever it is doing. */
  end(operation: SimulatedOperation, ending: Ending, nowMs: number): void;
  pending(): number;
  active(): number;
  peakActive(): number;
}

export interface Ending {
  readonly state: 'SUCCEEDED' | 'FAILED' | 'CANCELLED';
  readonly error?: { readonly code: number; readonly message: string } | undefined;
}

/** google.rpc.Code CANCELLED. */
const cancelled = { code: 1, message: 'Cancelled.' };

interface Waiting {
  readonly operation: SimulatedOperation;
  readonly order: number;
}

interface Event {
  readonly operation: SimulatedOperation;
  readonly atMs: number;
}

export function createQueue(
  settings: SimulatorSettings,
  random: () => number,
  others: () => { readonly pending: number; readonly running: number },
): Queue {
  /** In order of creation; not yet allowed to start. */
  const arriving: Waiting[] = [];
  let arrived = 0;
  const ready = createHeap<Waiting>(
    (a, b) =>
      a.operation.priority > b.operation.priority ||
      (a.operation.priority === b.operation.priority && a.order < b.order),
  );
  const events = createHeap<Event>((a, b) => a.atMs < b.atMs);
  let order = 0;
  let pending = 0;
  /** Operations that hold a slot. */
  let running = 0;
  /** Cancelled while pending: on their way out, without a slot. */
  let leaving = 0;
  let peak = 0;
  let lastStartMs = -Infinity;
  /** What happened up to then is history: settings changed since do not change it. */
  let playedMs = -Infinity;

  function move(operation: SimulatedOperation, state: SimulatedState, atMs: number): void {
    const before = operation.state;
    if (before === 'PENDING') {
      pending--;
    } else if (operation.startMs === undefined) {
      leaving--;
    }
    if (state === 'CANCELLING' && operation.startMs === undefined) {
      leaving++;
    }
    operation.state = state;
    operation.json = undefined;
    if (isEnded(state)) {
      operation.endMs = atMs;
      if (operation.startMs !== undefined) {
        running--;
      }
    }
  }

  function schedule(operation: SimulatedOperation, atMs: number): void {
    operation.nextMs = atMs;
    if (Number.isFinite(atMs)) {
      events.push({ operation, atMs });
    }
  }

  function start(operation: SimulatedOperation, atMs: number): void {
    move(operation, 'RUNNING', atMs);
    operation.startMs = atMs;
    running++;
    lastStartMs = atMs;
    const [shortest, longest] = settings.runMs;
    operation.stalled = matches(operation, settings.stalling);
    operation.plannedEndMs = atMs + shortest + random() * (longest - shortest);
    schedule(operation, operation.stalled ? Infinity : operation.plannedEndMs);
  }

  function finish(operation: SimulatedOperation, atMs: number): void {
    const unstoppable = operation.cancelRequested && matches(operation, settings.uncancellable);
    const failing = settings.failing.find(({ pattern }) => matches(operation, [pattern]));
    const ending: Ending =
      operation.state === 'CANCELLING' && !unstoppable
        ? { state: 'CANCELLED', error: cancelled }
        : failing
          ? { state: 'FAILED', error: { code: failing.code, message: failing.message } }
          : { state: 'SUCCEEDED' };
    operation.error = ending.error;
    move(operation, ending.state, atMs);
  }

  /** When the next operation may start, given what has happened so far. */
  function nextStartMs(): number {
    for (let top = ready.peek(); top && top.operation.state !== 'PENDING'; top = ready.peek()) {
      ready.pop();
    }
    const top = ready.peek();
    if (!top || running + others().running >= settings.concurrency) {
      return Infinity;
    }
    return Math.max(
      top.operation.createMs + settings.pendingMs,
      playedMs,
      lastStartMs + 1000 / settings.startsPerSecond,
    );
  }

  function nextEvent(): Event | undefined {
    for (;;) {
      const event = events.peek();
      // An operation that was cancelled or ended by hand left its old event behind.
      const stale = event && (isEnded(event.operation.state) || event.operation.nextMs !== event.atMs);
      if (!stale) {
        return event;
      }
      events.pop();
    }
  }

  function advance(nowMs: number): void {
    for (;;) {
      const arrival = arriving[arrived];
      const arrivalMs = arrival ? arrival.operation.createMs + settings.pendingMs : Infinity;
      const event = nextEvent();
      const eventMs = event?.atMs ?? Infinity;
      const startMs = nextStartMs();
      const nextMs = Math.min(arrivalMs, eventMs, startMs);
      playedMs = Math.max(playedMs, Math.min(nextMs, nowMs));
      if (nextMs > nowMs) {
        return;
      }
      if (arrival && arrivalMs === nextMs) {
        ready.push(arrival);
        arrived++;
      } else if (event && eventMs === nextMs) {
        events.pop();
        finish(event.operation, eventMs);
      } else {
        start((ready.pop() as Waiting).operation, startMs);
      }
    }
  }

  return {
    add(operation) {
      arriving.push({ operation, order: order++ });
      pending++;
      peak = Math.max(peak, pending + running + leaving);
    },
    advance,
    cancel(operation, nowMs) {
      operation.cancelRequested = true;
      if (operation.state !== 'PENDING' && operation.state !== 'RUNNING') {
        return;
      }
      move(operation, 'CANCELLING', nowMs);
      schedule(operation, nowMs + settings.cancelMs);
    },
    end(operation, { state, error }, nowMs) {
      if (isEnded(operation.state)) {
        return;
      }
      operation.error = error ?? (state === 'CANCELLED' ? cancelled : undefined);
      move(operation, state, nowMs);
    },
    pending: () => pending + others().pending,
    active: () => pending + running + leaving,
    peakActive: () => peak,
  };
}

function matches({ description, destination }: SimulatedOperation, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => new RegExp(pattern).test(`${description} ${destination}`));
}

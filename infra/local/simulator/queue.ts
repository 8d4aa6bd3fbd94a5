import { createHeap, type Heap } from './heap.ts';
import { isEnded, type SimulatedOperation, type SimulatedState } from './operation.ts';
import type { OtherOperations } from './others.ts';
import type { SimulatorSettings } from './settings.ts';

/**
 * The batch queue of one project, or of one caller: operations wait, start by priority and age as slots and the start rate allow, run, and end.
 *
 * Nothing moves on its own. `advanceQueue` replays every event up to now in order, so a clock that runs a thousand times
 * faster, or jumps a day, produces the same history.
 */
export interface Queue {
  readonly settings: Readonly<SimulatorSettings>;
  readonly random: () => number;
  readonly onEnd: (operation: SimulatedOperation) => void;
  /** Operations of other users, which take slots and capacity too. */
  others: OtherOperations;
  /** In order of creation; the first `arrived` of them are in `ready`. */
  readonly arriving: Waiting[];
  arrived: number;
  /** Operations that may start. */
  readonly ready: Heap<Waiting>;
  readonly events: Heap<Event>;
  pending: number;
  /** Operations that hold a slot. */
  running: number;
  /** Operations canceled while pending: CANCELLING without a slot. */
  leaving: number;
  peakActive: number;
  lastStartMs: number;
  /** The history up to this time is fixed: later changes of the settings do not affect it. */
  playedMs: number;
}

interface Waiting {
  readonly operation: SimulatedOperation;
  readonly order: number;
}

interface Event {
  readonly operation: SimulatedOperation;
  readonly atMs: number;
}

/** How the simulator's user ends an operation. */
export interface Ending {
  readonly state: 'SUCCEEDED' | 'FAILED' | 'CANCELLED';
  readonly error?: { readonly code: number; readonly message: string } | undefined;
}

/** google.rpc.Code CANCELLED. */
const cancelled = { code: 1, message: 'Cancelled.' };

export function createQueue(
  settings: Readonly<SimulatorSettings>,
  random: () => number,
  others: OtherOperations,
  onEnd: (operation: SimulatedOperation) => void,
): Queue {
  return {
    settings,
    random,
    onEnd,
    others,
    arriving: [],
    arrived: 0,
    ready: createHeap<Waiting>(
      (a, b) =>
        a.operation.priority > b.operation.priority ||
        (a.operation.priority === b.operation.priority && a.order < b.order),
    ),
    events: createHeap<Event>((a, b) => a.atMs < b.atMs),
    pending: 0,
    running: 0,
    leaving: 0,
    peakActive: 0,
    lastStartMs: -Infinity,
    playedMs: -Infinity,
  };
}

/** PENDING operations, including those of other users. */
export const pendingCount = ({ pending, others }: Queue): number => pending + others.pending;

/** Operations of this service that have not ended. */
export const activeCount = ({ pending, running, leaving }: Queue): number => pending + running + leaving;

export function addToQueue(queue: Queue, operation: SimulatedOperation): void {
  queue.arriving.push({ operation, order: queue.arriving.length });
  queue.pending++;
  queue.peakActive = Math.max(queue.peakActive, activeCount(queue));
}

/** Plays every event up to now, in order. */
export function advanceQueue(queue: Queue, nowMs: number): void {
  for (;;) {
    const arrival = queue.arriving[queue.arrived];
    const arrivalMs = arrival ? arrival.operation.createMs + queue.settings.pendingMs : Infinity;
    const event = nextEvent(queue);
    const eventMs = event?.atMs ?? Infinity;
    const startMs = nextStartMs(queue);
    const nextMs = Math.min(arrivalMs, eventMs, startMs);
    queue.playedMs = Math.max(queue.playedMs, Math.min(nextMs, nowMs));
    if (nextMs > nowMs) {
      return;
    }
    if (arrival && arrivalMs === nextMs) {
      queue.ready.push(arrival);
      queue.arrived++;
    } else if (event && eventMs === nextMs) {
      queue.events.pop();
      finish(queue, event.operation, eventMs);
    } else {
      start(queue, (queue.ready.pop() as Waiting).operation, startMs);
    }
  }
}

export function cancelOperation(queue: Queue, operation: SimulatedOperation, nowMs: number): void {
  operation.cancelRequested = true;
  if (operation.state !== 'PENDING' && operation.state !== 'RUNNING') {
    return;
  }
  move(queue, operation, 'CANCELLING', nowMs);
  schedule(queue, operation, nowMs + queue.settings.cancelMs);
}

/** Ends an operation now, whatever its state is. */
export function endOperation(
  queue: Queue,
  operation: SimulatedOperation,
  { state, error }: Ending,
  nowMs: number,
): void {
  if (isEnded(operation.state)) {
    return;
  }
  operation.error = error ?? (state === 'CANCELLED' ? cancelled : undefined);
  move(queue, operation, state, nowMs);
}

/** When the next operation may start, given what has happened so far. */
function nextStartMs({ ready, running, others, settings, playedMs, lastStartMs }: Queue): number {
  for (let top = ready.peek(); top && top.operation.state !== 'PENDING'; top = ready.peek()) {
    ready.pop();
  }
  const top = ready.peek();
  if (!top || running + others.running >= settings.concurrency) {
    return Infinity;
  }
  return Math.max(
    top.operation.createMs + settings.pendingMs,
    playedMs,
    lastStartMs + 1000 / settings.startsPerSecond,
  );
}

function nextEvent({ events }: Queue): Event | undefined {
  for (;;) {
    const event = events.peek();
    // The event of an operation that was canceled, or ended by the simulator's user, is left behind.
    const stale = event && (isEnded(event.operation.state) || event.operation.nextMs !== event.atMs);
    if (!stale) {
      return event;
    }
    events.pop();
  }
}

function start(queue: Queue, operation: SimulatedOperation, atMs: number): void {
  move(queue, operation, 'RUNNING', atMs);
  operation.startMs = atMs;
  queue.running++;
  queue.lastStartMs = atMs;
  startAttempt(queue, operation, atMs);
}

function startAttempt(queue: Queue, operation: SimulatedOperation, atMs: number): void {
  const { settings, random } = queue;
  operation.attemptMs = atMs;
  const [shortest, longest] = settings.runMs;
  operation.stalled = matches(operation, settings.stalling);
  operation.plannedEndMs = atMs + shortest + random() * (longest - shortest);
  schedule(queue, operation, operation.stalled ? Infinity : operation.plannedEndMs);
}

/** "Earth Engine retries tasks that fail for a transient reason, up to five times" (guides/processing_environments). */
const MAX_ATTEMPTS = 5;

function finish(queue: Queue, operation: SimulatedOperation, atMs: number): void {
  const { uncancellable, failing, attempts } = queue.settings;
  const needed = attempts.find(({ pattern }) => matches(operation, [pattern]))?.attempts ?? 1;
  if (operation.state === 'RUNNING' && operation.attempt < Math.min(needed, MAX_ATTEMPTS)) {
    operation.attempt += 1;
    startAttempt(queue, operation, atMs);
    return;
  }
  const unstoppable = operation.cancelRequested && matches(operation, uncancellable);
  const { frameProblem } = operation;
  const failure =
    failing.find(({ pattern }) => matches(operation, [pattern])) ??
    (frameProblem === undefined ? undefined : { code: 3, message: frameProblem }) ??
    (needed > MAX_ATTEMPTS ? { code: 13, message: 'Internal error.' } : undefined);
  const ending: Ending =
    operation.state === 'CANCELLING' && !unstoppable
      ? { state: 'CANCELLED', error: cancelled }
      : failure
        ? { state: 'FAILED', error: { code: failure.code, message: failure.message } }
        : { state: 'SUCCEEDED' };
  operation.error = ending.error;
  move(queue, operation, ending.state, atMs);
}

function schedule({ events }: Queue, operation: SimulatedOperation, atMs: number): void {
  operation.nextMs = atMs;
  if (Number.isFinite(atMs)) {
    events.push({ operation, atMs });
  }
}

function move(queue: Queue, operation: SimulatedOperation, state: SimulatedState, atMs: number): void {
  if (operation.state === 'PENDING') {
    queue.pending--;
  } else if (operation.startMs === undefined) {
    queue.leaving--;
  }
  if (state === 'CANCELLING' && operation.startMs === undefined) {
    queue.leaving++;
  }
  operation.state = state;
  operation.json = undefined;
  if (isEnded(state)) {
    operation.endMs = atMs;
    if (operation.startMs !== undefined) {
      queue.running--;
    }
    queue.onEnd(operation);
  }
}

function matches({ description, destination }: SimulatedOperation, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => new RegExp(pattern).test(`${description} ${destination}`));
}

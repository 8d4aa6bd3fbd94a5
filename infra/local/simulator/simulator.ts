import { answerAdmin } from './admin.ts';
import type { HeldRequest, ProjectCounters, Simulator, TrueOperation } from './api.ts';
import { createFaults, type RequestHook, tooManyRequests } from './faults.ts';
import { isEnded, type SimulatedOperation } from './operation.ts';
import { noOthers } from './others.ts';
import { activeCount, endOperation, pendingCount, type Ending, type Queue } from './queue.ts';
import { createRandom } from './random.ts';
import { createRateLimit } from './rate-limit.ts';
import {
  badGatewayReply,
  Refusal,
  refusalReply,
  type SimulatorAnswer,
  type SimulatorRequest,
} from './request.ts';
import { readRoute, type Route } from './route.ts';
import { noteUnprocessed, replyTo, type Service } from './service.ts';
import { defaultSettings, type CallKind, type Fault, type SimulatorSettings } from './settings.ts';
import { advanceWorld, createWorld, currentProject, queueOf, type World } from './world.ts';

export interface SimulatorOptions {
  /** The operations' clock, which may run fast. */
  readonly now?: () => Date;
  readonly seed?: number;
  /** For slow responses: real time, regardless of `now`. */
  readonly sleep?: (ms: number) => Promise<void>;
  readonly onRequest?: RequestHook;
  readonly settings?: Partial<SimulatorSettings>;
  /** Called when an operation ends. */
  readonly onEnd?: ((operation: TrueOperation) => void) | undefined;
}

/** A simulated Earth Engine: its settings define what it does, and its methods return what happened. */
export function createSimulator({
  now: clock = () => new Date(),
  seed = 1,
  sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  onRequest,
  settings: given = {},
  onEnd = () => {},
}: SimulatorOptions = {}): Simulator {
  const settings: SimulatorSettings = { ...defaultSettings, ...given };
  const world = createWorld(
    settings,
    createRandom(seed),
    () => clock().getTime(),
    (operation) => onEnd(trueOperation(operation)),
  );
  // Faults draw from their own random numbers, so that an extra fault does not change how long operations run.
  const faults = createFaults(settings, createRandom(seed + 1), onRequest);
  const service: Service = { world, clock, sleep, exportCalls: [] };
  const calls: Record<CallKind, number> = {
    export: 0,
    list: 0,
    get: 0,
    cancel: 0,
    config: 0,
    algorithms: 0,
    unknown: 0,
  };
  let faultCount = 0;
  let overRate = 0;
  const rateLimit = createRateLimit(() => clock().getTime());
  const holds: Hold[] = [];

  const simulator: Simulator = {
    async handle(request) {
      if (request.path.startsWith('/simulator/')) {
        return answerAdmin(simulator, request);
      }
      const route = readRoute(request);
      calls[route.call]++;
      const fault = faults.next(route.call, request);
      if (fault) {
        faultCount++;
        return faultyReply(service, request, route, fault);
      }
      if (!rateLimit.takes(route.project, settings.requestsPerSecond)) {
        overRate++;
        return faultyReply(service, request, route, tooManyRequests);
      }
      const hold = route.call === 'export' ? holds.shift() : undefined;
      return hold ? hold(request, route) : replyTo(service, request, route);
    },

    settings,

    set(changed) {
      // What happened up to now happened under the old settings.
      advanceWorld(world);
      Object.assign(settings, changed);
      for (const operation of world.operations.values()) {
        operation.json = undefined;
      }
    },

    failNext: (call, fault, times) => faults.script(call, fault, times),

    holdNext(seen = 'RESET') {
      const { hold, held } = holdRequest(service, seen);
      holds.push(hold);
      return held;
    },

    setOthers(project, others) {
      currentProject(world, project).queue.others = { ...noOthers, ...others };
    },

    endOperation: (name, ending) => end(world, operationNamed(world, name), ending),

    forgetOperation(name) {
      const operation = operationNamed(world, name);
      if (!isEnded(operation.state)) {
        end(world, operation, { state: 'CANCELLED' });
      }
      operation.forgotten = true;
    },

    operations() {
      advanceWorld(world);
      return Array.from(world.operations.values(), trueOperation);
    },

    exportCalls: service.exportCalls,

    counters() {
      advanceWorld(world);
      const countersOf = (queue: Queue): ProjectCounters => ({
        pending: pendingCount(queue),
        active: activeCount(queue),
        peakActive: queue.peakActive,
      });
      const projects = [
        ...Array.from(world.projects, ([id, { queue }]) => [id, countersOf(queue)] as const),
        ...Array.from(world.userQueues, ([user, queue]) => [user, countersOf(queue)] as const),
      ];
      return { calls: { ...calls }, faults: faultCount, overRate, projects: Object.fromEntries(projects) };
    },
  };
  return simulator;
}

function faultyReply(
  service: Service,
  request: SimulatorRequest,
  route: Route,
  fault: Fault,
): SimulatorAnswer | Promise<SimulatorAnswer> {
  const process = () => replyTo(service, request, route, { answered: false });
  const unprocessed = (answered: boolean) => noteUnprocessed(service, request, route, 'FAULT', answered);
  switch (fault.kind) {
    case 'status':
      unprocessed(true);
      return refusalReply(
        new Refusal(fault.status, fault.message ?? 'Simulated failure.'),
        fault.retryAfter === undefined ? {} : { 'retry-after': fault.retryAfter },
      );
    case 'html':
      unprocessed(true);
      return badGatewayReply;
    case 'reset':
      unprocessed(false);
      return 'RESET';
    case 'unreachable':
      unprocessed(false);
      return 'UNREACHABLE';
    case 'lost':
      return process().then(() => 'RESET');
    case 'silence':
      if (fault.worked) {
        return process().then(() => 'SILENCE');
      }
      unprocessed(false);
      return 'SILENCE';
    case 'slow':
      return replyTo(service, request, route, { slowMs: fault.ms });
    // The only remaining kind is `garbled`: another one would have no body, and not compile.
    default:
      return process().then(({ headers }) => ({ status: 200, headers, body: fault.body }));
  }
}

/** Replies to the request that it intercepts. */
type Hold = (request: SimulatorRequest, route: Route) => 'RESET' | 'SILENCE';

function holdRequest(
  service: Service,
  seen: 'RESET' | 'SILENCE',
): { readonly hold: Hold; readonly held: HeldRequest } {
  const caught = Promise.withResolvers<void>();
  let arrive: (() => Promise<SimulatorAnswer>) | undefined;
  return {
    hold(request, route) {
      noteUnprocessed(service, request, route, 'HELD', false);
      arrive = () => replyTo(service, request, route, { answered: false });
      caught.resolve();
      return seen;
    },
    held: {
      caught: caught.promise,
      async release() {
        await caught.promise;
        if (!arrive) {
          throw new Error('This request has already been released');
        }
        const arriving = arrive();
        arrive = undefined;
        return arriving;
      },
    },
  };
}

function operationNamed({ operations }: World, name: string): SimulatedOperation {
  const operation = operations.get(name);
  if (!operation) {
    throw new Error(`The simulator has no operation ${name}`);
  }
  return operation;
}

function end(world: World, operation: SimulatedOperation, ending: Ending): void {
  endOperation(queueOf(world, operation), operation, ending, world.now());
}

function trueOperation(operation: SimulatedOperation): TrueOperation {
  const { startMs, endMs } = operation;
  return {
    name: operation.name,
    project: operation.project,
    requestId: operation.requestId,
    identity: operation.identity,
    sha256: operation.sha256,
    description: operation.description,
    destination: operation.destination,
    priority: operation.priority,
    video: operation.video,
    state: operation.state,
    createTime: new Date(operation.createMs).toISOString(),
    startTime: startMs === undefined ? undefined : new Date(startMs).toISOString(),
    endTime: endMs === undefined ? undefined : new Date(endMs).toISOString(),
    cancelRequested: operation.cancelRequested,
  };
}

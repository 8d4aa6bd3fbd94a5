import { answerAdmin } from './admin.ts';
import type { ProjectCounters, Simulator } from './api.ts';
import { createFaults, type RequestHook } from './faults.ts';
import { isEnded, type SimulatedOperation } from './operation.ts';
import { createRandom } from './random.ts';
import {
  badGatewayReply,
  Refusal,
  refusalReply,
  type SimulatorAnswer,
  type SimulatorRequest,
} from './request.ts';
import { readRoute, type Route } from './route.ts';
import { createService } from './service.ts';
import { defaultSettings, type CallKind, type Fault, type SimulatorSettings } from './settings.ts';
import { createWorld } from './world.ts';

export interface SimulatorOptions {
  /** The time that operations live in; it may run fast. */
  readonly now?: () => Date;
  readonly seed?: number;
  /** For slow answers: real time, whatever `now` says. */
  readonly sleep?: (ms: number) => Promise<void>;
  readonly onRequest?: RequestHook;
  readonly settings?: Partial<SimulatorSettings>;
}

/** An Earth Engine of one's own: what it does is in its settings, and what happened can be asked for. */
export function createSimulator({
  now: clock = () => new Date(),
  seed = 1,
  sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  onRequest,
  settings: given = {},
}: SimulatorOptions = {}): Simulator {
  const settings: SimulatorSettings = { ...defaultSettings, ...given };
  // Chances of their own, so that a fault more or less does not change how long operations run.
  const world = createWorld(settings, createRandom(seed), () => clock().getTime());
  const faults = createFaults(settings, createRandom(seed + 1), onRequest);
  const service = createService({ settings, world, clock, sleep });
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
  const holds: ((request: SimulatorRequest, route: Route) => 'RESET' | 'SILENCE')[] = [];

  function faultyReply(
    request: SimulatorRequest,
    route: Route,
    fault: Fault,
  ): SimulatorAnswer | Promise<SimulatorAnswer> {
    const workUnheard = () => service.reply(request, route, { answered: false });
    const refused = fault.kind === 'status' || fault.kind === 'html';
    if (refused || fault.kind === 'reset' || fault.kind === 'unreachable') {
      service.noteUnworked(request, route, 'FAULT', refused);
    }
    switch (fault.kind) {
      case 'status':
        return refusalReply(
          new Refusal(fault.status, fault.message ?? 'Simulated failure.'),
          fault.retryAfter === undefined ? {} : { 'retry-after': fault.retryAfter },
        );
      case 'html':
        return badGatewayReply;
      case 'reset':
        return 'RESET';
      case 'unreachable':
        return 'UNREACHABLE';
      case 'lost':
        return workUnheard().then(() => 'RESET');
      case 'silence':
        if (fault.worked) {
          return workUnheard().then(() => 'SILENCE');
        }
        service.noteUnworked(request, route, 'FAULT', false);
        return 'SILENCE';
      case 'slow':
        return service.reply(request, route, { slowMs: fault.ms });
      // The one kind left, `garbled`; another would have no body, and not compile.
      default:
        return workUnheard().then(({ headers }) => ({ status: 200, headers, body: fault.body }));
    }
  }

  function operationNamed(name: string): SimulatedOperation {
    const operation = world.find(name);
    if (!operation) {
      throw new Error(`The simulator has no operation ${name}`);
    }
    return operation;
  }

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
        return faultyReply(request, route, fault);
      }
      const hold = route.call === 'export' ? holds.shift() : undefined;
      return hold ? hold(request, route) : service.reply(request, route);
    },

    settings,

    set(changed) {
      // What happened up to now happened under the old settings.
      world.advance();
      Object.assign(settings, changed);
      for (const operation of world.operations()) {
        operation.json = undefined;
      }
    },

    failNext: (call, fault, times) => faults.script(call, fault, times),

    holdNext(seen = 'RESET') {
      const caught = Promise.withResolvers<void>();
      let arrive: (() => Promise<SimulatorAnswer>) | undefined;
      holds.push((request, route) => {
        service.noteUnworked(request, route, 'HELD', false);
        arrive = () => service.reply(request, route, { answered: false });
        caught.resolve();
        return seen;
      });
      return {
        caught: caught.promise,
        async release() {
          await caught.promise;
          if (!arrive) {
            throw new Error('This request was released before');
          }
          const arriving = arrive();
          arrive = undefined;
          return arriving;
        },
      };
    },

    setOthers: (project, others) => world.setOthers(project, { ended: 0, running: 0, pending: 0, ...others }),

    endOperation: (name, ending) => world.end(operationNamed(name), ending),

    forgetOperation(name) {
      const operation = operationNamed(name);
      if (!isEnded(operation.state)) {
        world.end(operation, { state: 'CANCELLED' });
      }
      operation.forgotten = true;
    },

    operations() {
      world.advance();
      return world.operations().map((operation) => ({
        name: operation.name,
        project: operation.project,
        requestId: operation.requestId,
        identity: operation.identity,
        sha256: operation.sha256,
        description: operation.description,
        destination: operation.destination,
        priority: operation.priority,
        state: operation.state,
        createTime: new Date(operation.createMs).toISOString(),
        startTime: operation.startMs === undefined ? undefined : new Date(operation.startMs).toISOString(),
        endTime: operation.endMs === undefined ? undefined : new Date(operation.endMs).toISOString(),
        cancelRequested: operation.cancelRequested,
      }));
    },

    exportCalls: service.exportCalls,

    counters() {
      world.advance();
      const projects = [...world.queues()].map(([id, queue]): [string, ProjectCounters] => [
        id,
        { pending: queue.pending(), active: queue.active(), peakActive: queue.peakActive() },
      ]);
      return { calls: { ...calls }, faults: faultCount, projects: Object.fromEntries(projects) };
    },
  };
  return simulator;
}

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

import { checkProject, identify } from './access.ts';
import type { ExportCall } from './api.ts';
import { operationJson } from './operation.ts';
import { jsonReply, Refusal, refusalReply, type SimulatorReply, type SimulatorRequest } from './request.ts';
import type { Route } from './route.ts';
import type { SimulatorSettings } from './settings.ts';
import type { World } from './world.ts';

/** How an answer gets to the caller, if it does. */
export interface Delivery {
  /** How long the work takes, in real time. */
  readonly slowMs?: number;
  /** False where the caller will not hear of it. */
  readonly answered?: boolean;
}

/** EE's REST API over a world, as it answers where nothing goes wrong on the way. */
export interface Service {
  reply(request: SimulatorRequest, route: Route, delivery?: Delivery): Promise<SimulatorReply>;
  /** Notes an export call that never got to `reply`. */
  noteUnworked(request: SimulatorRequest, route: Route, outcome: 'FAULT' | 'HELD', answered: boolean): void;
  readonly exportCalls: readonly ExportCall[];
}

export interface ServiceOptions {
  readonly settings: Readonly<SimulatorSettings>;
  readonly world: World;
  readonly clock: () => Date;
  readonly sleep: (ms: number) => Promise<void>;
}

export function createService({ settings, world, clock, sleep }: ServiceOptions): Service {
  const exportCalls: ExportCall[] = [];

  function noteExport(
    request: SimulatorRequest,
    call: Omit<ExportCall, 'at' | 'requestId' | 'sha256'>,
  ): void {
    exportCalls.push({
      at: clock().toISOString(),
      requestId: requestIdOf(request.body),
      sha256: createHash('sha256').update(request.body).digest('hex'),
      ...call,
    });
  }

  /** @throws Refusal */
  async function startExport(
    request: SimulatorRequest,
    { project }: Route,
    { slowMs = 0, answered = true }: Delivery,
  ): Promise<string> {
    let identity = 'unknown';
    try {
      identity = identify(request, settings);
      checkProject(project, settings);
      const accepted = world.accept(project, identity, request.body);
      if (slowMs > 0) {
        await sleep(slowMs);
      }
      const { operation, replayed } = world.complete(accepted);
      exportCalls.push({
        at: clock().toISOString(),
        project,
        identity,
        requestId: operation.requestId,
        sha256: accepted.sha256,
        outcome: replayed ? 'REPLAYED' : 'STARTED',
        operation: operation.name,
        answered,
      });
      return operationJson(operation, clock().getTime(), settings, !replayed);
    } catch (error) {
      if (error instanceof Refusal) {
        noteExport(request, { project, identity, outcome: error.reason, operation: undefined, answered });
      }
      throw error;
    }
  }

  /** @throws Refusal */
  async function answer(request: SimulatorRequest, route: Route, delivery: Delivery): Promise<string> {
    if (route.call === 'export') {
      return startExport(request, route, delivery);
    }
    if (delivery.slowMs !== undefined) {
      await sleep(delivery.slowMs);
    }
    identify(request, settings);
    checkProject(route.project, settings);
    return answers[route.call](route);
  }

  const answers: Readonly<Record<Exclude<Route['call'], 'export'>, (route: Route) => string>> = {
    list({ project, pageSize, pageToken }) {
      const page = world.list(project, pageSize, pageToken);
      if (page === undefined) {
        throw new Refusal(400, 'Invalid page token.');
      }
      return page;
    },
    get: operationText,
    cancel(route) {
      // Also where it is somebody else's, which the simulator keeps no state of.
      operationText(route);
      const operation = world.find(operationName(route));
      if (operation) {
        world.cancel(operation);
      }
      return '{}';
    },
    config: ({ project }) =>
      JSON.stringify({
        name: `projects/${project}/config`,
        registrationState: 'REGISTERED_NOT_COMMERCIALLY',
        maxConcurrentExports: settings.concurrency,
      }),
    algorithms,
    unknown() {
      throw new Refusal(404, 'Method not found.', 'NOT_FOUND');
    },
  };

  function operationText(route: Route): string {
    const text = world.get(route.project, route.operationId);
    if (text !== undefined) {
      return text;
    }
    throw new Refusal(404, `Operation "${operationName(route)}" not found.`, 'NOT_FOUND');
  }

  function identityOf(request: SimulatorRequest): string {
    try {
      return identify(request, settings);
    } catch {
      return 'unknown';
    }
  }

  return {
    async reply(request, route, delivery = {}) {
      const headers: Record<string, string> =
        settings.quotaStatus === null ? {} : { 'x-earth-engine-quota-status': settings.quotaStatus };
      try {
        return jsonReply(await answer(request, route, delivery), 200, headers);
      } catch (error) {
        if (error instanceof Refusal) {
          return refusalReply(error, headers);
        }
        throw error;
      }
    },

    noteUnworked(request, { call, project }, outcome, answered) {
      if (call !== 'export') {
        return;
      }
      noteExport(request, {
        project,
        identity: identityOf(request),
        outcome,
        operation: undefined,
        answered,
      });
    },

    exportCalls,
  };
}

function operationName({ project, operationId }: Route): string {
  return `projects/${project}/operations/${operationId}`;
}

/** For the records of calls that EE did not look at. */
function requestIdOf(body: Uint8Array): string | undefined {
  try {
    const { requestId } = JSON.parse(new TextDecoder().decode(body)) as { requestId?: unknown };
    return typeof requestId === 'string' ? requestId : undefined;
  } catch {
    return undefined;
  }
}

let algorithmsText: string | undefined;

/** Signatures of the functions that the official clients build their API from. */
function algorithms(): string {
  algorithmsText ??= readFileSync(new URL('algorithms.json', import.meta.url), 'utf8');
  return algorithmsText;
}

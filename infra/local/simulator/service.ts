import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

import { checkProject, identify } from './access.ts';
import type { ExportCall } from './api.ts';
import { operationJson } from './operation.ts';
import { cancelOperation } from './queue.ts';
import { jsonReply, Refusal, refusalReply, type SimulatorReply, type SimulatorRequest } from './request.ts';
import type { Route } from './route.ts';
import { acceptExport, completeExport } from './start-export.ts';
import { getOperation, listOperations, queueOf, type World } from './world.ts';

/** Earth Engine's REST API over a world, without any faults. */
export interface Service {
  readonly world: World;
  readonly clock: () => Date;
  readonly sleep: (ms: number) => Promise<void>;
  /** Every `video:export` call, in order. */
  readonly exportCalls: ExportCall[];
}

/** How the response reaches the caller, if it does. */
export interface Delivery {
  /** How long the work takes, in real time. */
  readonly slowMs?: number;
  /** False if the caller does not receive the response. */
  readonly answered?: boolean;
}

/** The API's reply, without faults. */
export async function replyTo(
  service: Service,
  request: SimulatorRequest,
  route: Route,
  delivery: Delivery = {},
): Promise<SimulatorReply> {
  const { quotaStatus } = service.world.settings;
  const headers: Record<string, string> =
    quotaStatus === null ? {} : { 'x-earth-engine-quota-status': quotaStatus };
  try {
    return jsonReply(await answer(service, request, route, delivery), 200, headers);
  } catch (error) {
    if (error instanceof Refusal) {
      return refusalReply(error, headers);
    }
    throw error;
  }
}

/** Records an export call that a fault kept from `replyTo`. */
export function noteUnprocessed(
  service: Service,
  request: SimulatorRequest,
  { call, project }: Route,
  outcome: 'FAULT' | 'HELD',
  answered: boolean,
): void {
  if (call === 'export') {
    const identity = identityOf(request, service.world);
    noteExport(service, request, { project, identity, outcome, operation: undefined, answered });
  }
}

/** @throws Refusal */
async function answer(
  service: Service,
  request: SimulatorRequest,
  route: Route,
  delivery: Delivery,
): Promise<string> {
  if (route.call === 'export') {
    return startExport(service, request, route, delivery);
  }
  if (delivery.slowMs !== undefined) {
    await service.sleep(delivery.slowMs);
  }
  const { settings } = service.world;
  identify(request, settings);
  checkProject(route.project, settings);
  return answers[route.call](service.world, route);
}

/** @throws Refusal */
async function startExport(
  service: Service,
  request: SimulatorRequest,
  { project }: Route,
  { slowMs = 0, answered = true }: Delivery,
): Promise<string> {
  const { world, clock, sleep, exportCalls } = service;
  let identity = 'unknown';
  try {
    identity = identify(request, world.settings);
    checkProject(project, world.settings);
    const accepted = acceptExport(world, project, identity, request);
    if (slowMs > 0) {
      await sleep(slowMs);
    }
    const { operation, replayed } = completeExport(world, accepted);
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
    return operationJson(operation, clock().getTime(), world.settings, !replayed);
  } catch (error) {
    if (error instanceof Refusal) {
      const call = { project, identity, outcome: error.reason, operation: undefined, answered };
      noteExport(service, request, call);
    }
    throw error;
  }
}

/** @throws Refusal */
type Answer = (world: World, route: Route) => string;

const answers: Readonly<Record<Exclude<Route['call'], 'export'>, Answer>> = {
  list(world, { project, pageSize, pageToken }) {
    const page = listOperations(world, project, pageSize, pageToken);
    if (page === undefined) {
      throw new Refusal(400, 'Invalid page token.');
    }
    return page;
  },
  get: operationText,
  cancel(world, route) {
    // Refuses an unknown operation. Those of other users exist but have no state that could change.
    operationText(world, route);
    const operation = world.operations.get(operationName(route));
    if (operation) {
      cancelOperation(queueOf(world, operation), operation, world.now());
    }
    return '{}';
  },
  config: ({ settings }, { project, version }) =>
    JSON.stringify({
      name: `projects/${project}/config`,
      registrationState: 'REGISTERED_NOT_COMMERCIALLY',
      ...(version === 'v1alpha' ? { maxConcurrentExports: settings.concurrency } : {}),
    }),
  algorithms,
  unknown() {
    throw new Refusal(404, 'Method not found.', 'NOT_FOUND');
  },
};

function operationText(world: World, route: Route): string {
  const text = getOperation(world, route.project, route.operationId);
  if (text !== undefined) {
    return text;
  }
  throw new Refusal(
    world.settings.missingOperationStatus,
    `Operation "${operationName(route)}" not found.`,
    'NOT_FOUND',
  );
}

function operationName({ project, operationId }: Route): string {
  return `projects/${project}/operations/${operationId}`;
}

let algorithmsText: string | undefined;

/** Signatures of the functions that the official clients build their API from. */
function algorithms(): string {
  algorithmsText ??= readFileSync(new URL('algorithms.json', import.meta.url), 'utf8');
  return algorithmsText;
}

function noteExport(
  { clock, exportCalls }: Service,
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

function identityOf(request: SimulatorRequest, { settings }: World): string {
  try {
    return identify(request, settings);
  } catch {
    return 'unknown';
  }
}

/** The requestId of a body that was not validated. */
function requestIdOf(body: Uint8Array): string | undefined {
  try {
    const { requestId } = JSON.parse(new TextDecoder().decode(body)) as { requestId?: unknown };
    return typeof requestId === 'string' ? requestId : undefined;
  } catch {
    return undefined;
  }
}

import { createHash } from 'node:crypto';

import { checkDestination } from './access.ts';
import { frameProblem } from './frames.ts';
import type { Quirks, SimulatedOperation } from './operation.ts';
import { addToQueue, pendingCount } from './queue.ts';
import { Refusal, type SimulatorRequest } from './request.ts';
import { readExportRequest, type AcceptedRequest } from './validation.ts';
import { currentProject, queueOf, type UsedId, type World } from './world.ts';

export interface AcceptedExport {
  readonly project: string;
  readonly identity: string;
  readonly sha256: string;
  readonly request: AcceptedRequest;
}

/**
 * The first half of an export: validates the request and registers its requestId.
 *
 * @throws Refusal
 */
export function acceptExport(
  world: World,
  project: string,
  identity: string,
  call: SimulatorRequest,
): AcceptedExport {
  const { body } = call;
  const request = readExportRequest(body);
  checkDestination(call, request, world.settings);
  const sha256 = createHash('sha256').update(body).digest('hex');
  const key = idKey(identity, request.requestId);
  if (key !== undefined) {
    const used = findUsedId(world, key);
    if (!used) {
      world.usedIds.set(key, { sha256, atMs: world.now() });
    } else if (!isRepeat(world, used, sha256) || (!used.operation && world.settings.refuseWhileWorking)) {
      throw differentOperation(world);
    }
  }
  return { project, identity, sha256, request };
}

/**
 * The second half: creates the operation, or finds the one that the same request has created already.
 *
 * @throws Refusal
 */
export function completeExport(
  world: World,
  accepted: AcceptedExport,
): { readonly operation: SimulatedOperation; readonly replayed: boolean } {
  const { project, identity, sha256, request } = accepted;
  const { settings, usedIds } = world;
  const key = idKey(identity, request.requestId);
  const used = key === undefined ? undefined : findUsedId(world, key);
  if (used && !isRepeat(world, used, sha256)) {
    throw differentOperation(world);
  }
  if (used?.operation) {
    const { operation } = used;
    currentProject(world, operation.project);
    return { operation, replayed: true };
  }
  if (pendingCount(queueOf(world, { project, identity })) >= settings.queueLimit) {
    if (key !== undefined) {
      if (settings.useUpIdWhenFull) {
        usedIds.set(key, { sha256, atMs: world.now(), usedUp: true });
      } else {
        usedIds.delete(key);
      }
    }
    throw new Refusal(
      settings.queueFullStatus,
      `Too many tasks already in the queue (${settings.queueLimit}). Please wait for some of them to complete.`,
      'QUEUE_FULL',
    );
  }
  checkQuota(world, project, key);
  const operation = createOperation(world, accepted);
  if (key !== undefined) {
    usedIds.set(key, { sha256, atMs: world.now(), operation });
  }
  return { operation, replayed: false };
}

/** Year, month, and day, such as 2026-11-23. */
const pacificDate = new Intl.DateTimeFormat('en-CA', { timeZone: 'America/Los_Angeles' });

/** @throws Refusal if the project has used up its quota of the day or the month */
function checkQuota(world: World, project: string, key: string | undefined): void {
  const { dailyQuota, monthlyQuota, quotaResetLagMs, quotaStatusCode } = world.settings;
  if (dailyQuota === null && monthlyQuota === null) {
    return;
  }
  const dateOf = (ms: number) => pacificDate.format(ms - quotaResetLagMs);
  const today = dateOf(world.now());
  const dates = currentProject(world, project).operations.map(({ createMs }) => dateOf(createMs));
  const used = (period: string) => dates.filter((date) => date.startsWith(period)).length;
  const exceeded =
    dailyQuota !== null && used(today) >= dailyQuota
      ? 'daily'
      : monthlyQuota !== null && used(today.slice(0, '2026-11'.length)) >= monthlyQuota
        ? 'monthly'
        : undefined;
  if (exceeded === undefined) {
    return;
  }
  if (key !== undefined) {
    world.usedIds.delete(key);
  }
  throw new Refusal(
    quotaStatusCode,
    `Your usage exceeded the custom quota for 'earthengine.googleapis.com/${exceeded}_eecu_usage_time', which is adjustable by your administrator in the Google Cloud console: https://console.cloud.google.com/quotas/?project=${project}.`,
    'QUOTA_EXHAUSTED',
  );
}

/** Earth Engine deduplicates per calling identity, across projects. */
function idKey(identity: string, requestId: string | undefined): string | undefined {
  return requestId === undefined ? undefined : `${identity}\n${requestId}`;
}

function findUsedId({ settings, usedIds, now }: World, key: string): UsedId | undefined {
  const used = usedIds.get(key);
  const { forgetIdsAfterMs } = settings;
  if (used && forgetIdsAfterMs !== null && now() - used.atMs >= forgetIdsAfterMs) {
    usedIds.delete(key);
    return undefined;
  }
  return used;
}

const isRepeat = ({ settings }: World, used: UsedId, sha256: string): boolean =>
  !used.usedUp && (used.sha256 === sha256 || settings.ignoreOtherContent);

const differentOperation = ({ settings }: World): Refusal =>
  new Refusal(
    settings.differentOperationStatus,
    'A different Operation was already started with the given request_id',
    'DIFFERENT',
  );

function createOperation(
  world: World,
  { project: projectId, identity, sha256, request }: AcceptedExport,
): SimulatedOperation {
  const project = currentProject(world, projectId);
  const { description, destination, destinationUri, priority, requestId, video } = request;
  const operation: SimulatedOperation = {
    name: newName(world, projectId),
    project: projectId,
    requestId,
    identity,
    sha256,
    description,
    destination,
    destinationUri,
    priority,
    frameProblem: frameProblem(request.expression),
    video,
    quirks: newQuirks(world),
    createMs: world.now(),
    state: 'PENDING',
    startMs: undefined,
    attempt: 1,
    attemptMs: 0,
    nextMs: Infinity,
    plannedEndMs: Infinity,
    endMs: undefined,
    cancelRequested: false,
    stalled: false,
    error: undefined,
    forgotten: false,
    json: undefined,
  };
  project.operations.push(operation);
  addToQueue(queueOf(world, operation), operation);
  world.operations.set(operation.name, operation);
  return operation;
}

const ID_LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const ID_LENGTH = 24;

function newName(world: World, project: string): string {
  let id = '';
  while (id.length < ID_LENGTH) {
    id += ID_LETTERS[Math.floor(world.random() * ID_LETTERS.length)];
  }
  const name = `projects/${project}/operations/${id}`;
  return world.operations.has(name) ? newName(world, project) : name;
}

function newQuirks({ settings, random }: World): Quirks {
  const { missingFields = 0, doneWithNeither = 0, unknownState = 0, epochStart = 0 } = settings.quirkRates;
  return {
    missingFields: random() < missingFields,
    doneWithNeither: random() < doneWithNeither,
    unknownState: random() < unknownState,
    epochStart: random() < epochStart,
  };
}

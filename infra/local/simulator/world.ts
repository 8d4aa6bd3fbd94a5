import { createListings, type Listings } from './listing.ts';
import { operationJson, type SimulatedOperation } from './operation.ts';
import { countOthers, noOthers, otherOperationIndex, otherOperationJson } from './others.ts';
import { advanceQueue, createQueue, type Queue } from './queue.ts';
import type { SimulatorSettings } from './settings.ts';

/** Everything that Earth Engine stores: projects with their operations and queues, and the requestIds that were used. */
export interface World {
  readonly settings: Readonly<SimulatorSettings>;
  readonly random: () => number;
  readonly now: () => number;
  readonly epochMs: number;
  readonly onEnd: (operation: SimulatedOperation) => void;
  readonly projects: Map<string, Project>;
  /** By caller, if queues belong to callers. */
  readonly userQueues: Map<string, Queue>;
  /** By name, in order of creation. */
  readonly operations: Map<string, SimulatedOperation>;
  /** By identity and requestId. */
  readonly usedIds: Map<string, UsedId>;
}

export interface Project {
  /** In order of creation. */
  readonly operations: SimulatedOperation[];
  readonly queue: Queue;
  readonly listings: Listings;
}

/** A requestId that Earth Engine has received. */
export interface UsedId {
  readonly sha256: string;
  readonly atMs: number;
  /** Absent while Earth Engine processes the request, and forever if the id is used up. */
  readonly operation?: SimulatedOperation;
  /** No request with this id is accepted any more. */
  readonly usedUp?: boolean;
}

export function createWorld(
  settings: Readonly<SimulatorSettings>,
  random: () => number,
  now: () => number,
  onEnd: (operation: SimulatedOperation) => void = () => {},
): World {
  return {
    settings,
    random,
    now,
    epochMs: now(),
    onEnd,
    projects: new Map(),
    userQueues: new Map(),
    operations: new Map(),
    usedIds: new Map(),
  };
}

/** The project, created on first use, with its queue advanced to now. */
export function currentProject(world: World, id: string): Project {
  const { settings, random, now, projects, userQueues, onEnd } = world;
  const project = projects.get(id) ?? {
    operations: [],
    queue: createQueue(settings, random, noOthers, onEnd),
    listings: createListings(settings, random),
  };
  projects.set(id, project);
  advanceQueue(project.queue, now());
  for (const queue of userQueues.values()) {
    advanceQueue(queue, now());
  }
  return project;
}

/** The queue that an operation waits in, as the settings say who owns it, advanced to now. */
export function queueOf(
  world: World,
  { project, identity }: Pick<SimulatedOperation, 'project' | 'identity'>,
): Queue {
  const { settings, random, userQueues, onEnd } = world;
  const own = currentProject(world, project).queue;
  if (settings.queueOwner === 'PROJECT') {
    return own;
  }
  const queue = userQueues.get(identity) ?? createQueue(settings, random, noOthers, onEnd);
  userQueues.set(identity, queue);
  return queue;
}

/** Advances every queue to now. */
export function advanceWorld({ projects, userQueues, now }: World): void {
  for (const queue of [...Array.from(projects.values(), ({ queue }) => queue), ...userQueues.values()]) {
    advanceQueue(queue, now());
  }
}

/** The JSON of an operation, including those of other users. */
export function getOperation(world: World, projectId: string, id: string): string | undefined {
  const { others } = currentProject(world, projectId).queue;
  const index = otherOperationIndex(id);
  if (index !== undefined && index < countOthers(others)) {
    return otherOperationJson(projectId, index, others, world.epochMs);
  }
  const operation = world.operations.get(`projects/${projectId}/operations/${id}`);
  return operation && !operation.forgotten
    ? operationJson(operation, world.now(), world.settings)
    : undefined;
}

/** The JSON of one page, or undefined for an invalid page token. */
export function listOperations(
  world: World,
  projectId: string,
  pageSize: number,
  pageToken: string,
): string | undefined {
  const { settings, epochMs } = world;
  const nowMs = world.now();
  const { operations, listings, queue } = currentProject(world, projectId);
  const before = countOthers(queue.others);
  const listed = before + countUntil(operations, nowMs - settings.listLagMs);
  const page = listings.page(pageToken, pageSize, listed);
  if (!page) {
    return undefined;
  }
  const texts: string[] = [];
  for (const position of page.positions) {
    if (position < before) {
      texts.push(otherOperationJson(projectId, position, queue.others, epochMs));
    } else {
      const operation = operations[position - before];
      if (operation && !operation.forgotten) {
        texts.push(operationJson(operation, nowMs, settings));
      }
    }
  }
  const next =
    page.nextPageToken === undefined ? '' : `"nextPageToken":${JSON.stringify(page.nextPageToken)}`;
  const list = texts.length === 0 ? '' : `"operations":[${texts.join(',')}]`;
  return `{${list}${list && next ? ',' : ''}${next}}`;
}

/** How many operations were created up to a time, by binary search: they are in order of creation. */
function countUntil(operations: readonly SimulatedOperation[], untilMs: number): number {
  let low = 0;
  let high = operations.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((operations[middle] as SimulatedOperation).createMs <= untilMs) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

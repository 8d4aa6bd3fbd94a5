import { createHash } from 'node:crypto';

import { createListings, type Listings } from './listing.ts';
import { operationJson, type Quirks, type SimulatedOperation } from './operation.ts';
import {
  countOthers,
  noOthers,
  otherOperationIndex,
  otherOperationJson,
  type OtherOperations,
} from './others.ts';
import { createQueue, type Ending, type Queue } from './queue.ts';
import { Refusal } from './request.ts';
import type { SimulatorSettings } from './settings.ts';
import { readExportRequest, type AcceptedRequest } from './validation.ts';

/** What EE keeps: operations, their queues, and which requestIds were used by whom. */
export interface World {
  /**
   * The first half of an export: reads the request and takes its requestId into work.
   *
   * @throws Refusal
   */
  accept(project: string, identity: string, body: Uint8Array): AcceptedExport;
  /**
   * The second half: makes the operation, or finds the one that the same request has made already.
   *
   * @throws Refusal
   */
  complete(accepted: AcceptedExport): { readonly operation: SimulatedOperation; readonly replayed: boolean };
  find(name: string): SimulatedOperation | undefined;
  /** The JSON of an operation, other people's included. */
  get(project: string, id: string): string | undefined;
  /** The JSON of one page, or undefined for a page token that means nothing. */
  list(project: string, pageSize: number, pageToken: string): string | undefined;
  cancel(operation: SimulatedOperation): void;
  end(operation: SimulatedOperation, ending: Ending): void;
  setOthers(project: string, others: OtherOperations): void;
  operations(): readonly SimulatedOperation[];
  queues(): ReadonlyMap<string, Queue>;
  /** Plays every queue up to now. */
  advance(): void;
}

export interface AcceptedExport {
  readonly project: string;
  readonly identity: string;
  readonly sha256: string;
  readonly request: AcceptedRequest;
}

interface Project {
  readonly operations: SimulatedOperation[];
  readonly queue: Queue;
  readonly listings: Listings;
  others: OtherOperations;
}

interface UsedId {
  readonly sha256: string;
  readonly atMs: number;
  /** Absent while the request is worked on, and for ever where the id was burnt. */
  readonly operation?: SimulatedOperation;
  readonly burnt?: boolean;
}

const ID_LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

export function createWorld(settings: SimulatorSettings, random: () => number, now: () => number): World {
  const epochMs = now();
  const projects = new Map<string, Project>();
  const byName = new Map<string, SimulatedOperation>();
  const usedIds = new Map<string, UsedId>();

  function projectOf(id: string): Project {
    const known = projects.get(id);
    if (known) {
      return known;
    }
    const project: Project = {
      operations: [],
      queue: createQueue(settings, random, () => project.others),
      listings: createListings(settings, random),
      others: noOthers,
    };
    projects.set(id, project);
    return project;
  }

  /** The project with its queue played up to now. */
  function currentProject(id: string): Project {
    const project = projectOf(id);
    project.queue.advance(now());
    return project;
  }

  function usedId(key: string): UsedId | undefined {
    const used = usedIds.get(key);
    const { forgetIdsAfterMs } = settings;
    if (used && forgetIdsAfterMs !== null && now() - used.atMs >= forgetIdsAfterMs) {
      usedIds.delete(key);
      return undefined;
    }
    return used;
  }

  /** @throws Refusal where the id was used for something else, or up */
  function checkId(used: UsedId, sha256: string): void {
    if (used.burnt || used.sha256 !== sha256) {
      throw new Refusal(
        settings.differentOperationStatus,
        'A different Operation was already started with the given request_id',
        'DIFFERENT',
      );
    }
  }

  function newName(project: string): string {
    let id = '';
    while (id.length < 24) {
      id += ID_LETTERS[Math.floor(random() * ID_LETTERS.length)];
    }
    const name = `projects/${project}/operations/${id}`;
    return byName.has(name) ? newName(project) : name;
  }

  function newQuirks(): Quirks {
    const { missingFields = 0, doneWithNeither = 0, unknownState = 0, epochStart = 0 } = settings.quirkRates;
    return {
      missingFields: random() < missingFields,
      doneWithNeither: random() < doneWithNeither,
      unknownState: random() < unknownState,
      epochStart: random() < epochStart,
    };
  }

  function create({ project: projectId, identity, sha256, request }: AcceptedExport): SimulatedOperation {
    const project = currentProject(projectId);
    const { description, destination, destinationUri, priority, requestId } = request;
    const operation: SimulatedOperation = {
      name: newName(projectId),
      project: projectId,
      requestId,
      identity,
      sha256,
      description,
      destination,
      destinationUri,
      priority,
      quirks: newQuirks(),
      createMs: now(),
      state: 'PENDING',
      startMs: undefined,
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
    project.queue.add(operation);
    byName.set(operation.name, operation);
    return operation;
  }

  return {
    accept(project, identity, body) {
      const request = readExportRequest(body);
      const sha256 = createHash('sha256').update(body).digest('hex');
      if (request.requestId !== undefined) {
        const key = idKey(identity, request.requestId);
        const used = usedId(key);
        if (!used) {
          usedIds.set(key, { sha256, atMs: now() });
        } else {
          checkId(used, sha256);
          if (!used.operation && settings.refuseWhileWorking) {
            checkId({ ...used, burnt: true }, sha256);
          }
        }
      }
      return { project, identity, sha256, request };
    },

    complete(accepted) {
      const { project, identity, sha256, request } = accepted;
      const key = request.requestId === undefined ? undefined : idKey(identity, request.requestId);
      const used = key === undefined ? undefined : usedId(key);
      if (used) {
        checkId(used, sha256);
        if (used.operation) {
          projectOf(used.operation.project).queue.advance(now());
          return { operation: used.operation, replayed: true };
        }
      }
      if (currentProject(project).queue.pending() >= settings.queueLimit) {
        if (key !== undefined) {
          if (settings.burnIdsWhenFull) {
            usedIds.set(key, { sha256, atMs: now(), burnt: true });
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
      const operation = create(accepted);
      if (key !== undefined) {
        usedIds.set(key, { sha256, atMs: now(), operation });
      }
      return { operation, replayed: false };
    },

    find: (name) => byName.get(name),

    get(projectId, id) {
      const { others } = currentProject(projectId);
      const index = otherOperationIndex(id);
      if (index !== undefined && index < countOthers(others)) {
        return otherOperationJson(projectId, index, others, epochMs);
      }
      const operation = byName.get(`projects/${projectId}/operations/${id}`);
      return operation && !operation.forgotten ? operationJson(operation, now(), settings) : undefined;
    },

    list(projectId, pageSize, pageToken) {
      const { operations, listings, others } = currentProject(projectId);
      const before = countOthers(others);
      const listed = before + countUntil(operations, now() - settings.listLagMs);
      const page = listings.page(pageToken, pageSize, listed);
      if (!page) {
        return undefined;
      }
      const texts: string[] = [];
      for (const position of page.positions) {
        if (position < before) {
          texts.push(otherOperationJson(projectId, position, others, epochMs));
        } else {
          const operation = operations[position - before];
          if (operation && !operation.forgotten) {
            texts.push(operationJson(operation, now(), settings));
          }
        }
      }
      const next =
        page.nextPageToken === undefined ? '' : `"nextPageToken":${JSON.stringify(page.nextPageToken)}`;
      const list = texts.length === 0 ? '' : `"operations":[${texts.join(',')}]`;
      return `{${list}${list && next ? ',' : ''}${next}}`;
    },

    cancel: (operation) => currentProject(operation.project).queue.cancel(operation, now()),
    end: (operation, ending) => currentProject(operation.project).queue.end(operation, ending, now()),

    setOthers(projectId, others) {
      currentProject(projectId).others = others;
    },

    operations: () => [...byName.values()],
    queues: () => new Map([...projects].map(([id, { queue }]) => [id, queue])),

    advance() {
      for (const { queue } of projects.values()) {
        queue.advance(now());
      }
    },
  };
}

/** EE deduplicates per calling identity, whatever the project. */
function idKey(identity: string, requestId: string): string {
  return `${identity}\n${requestId}`;
}

/** How many were made by then. They are in order of creation. */
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

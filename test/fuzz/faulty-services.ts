import type { CallOptions, EarthEngine, Operation, OperationPage } from '../../shared/earth-engine/api.ts';
import { notSent } from '../../shared/earth-engine/errors.ts';
import type { Publisher } from '../../shared/publisher.ts';
import type { Created, Documents, Stored, Store } from '../../shared/store/store.ts';
import {
  ambiguousCreate,
  ambiguousReplace,
  type EarthEngineCall,
  earthEngineFaults,
  type Fault,
  noMarker,
  publishFaults,
  readFaults,
  writeFaults,
} from './faults.ts';
import { kindOfDescription } from './jobs.ts';
import type { Step } from './life.ts';
import type { World } from './world.ts';

/** Every call of a process to the outside goes through this. */
export type Caller = <R>(
  step: Step,
  subject: string,
  faults: () => readonly Fault<NoInfer<R>>[],
  work: () => Promise<R>,
  /** How long the call may be on its way. */
  withinMs?: number,
) => Promise<R>;

const read = (name: string): Step => ({ kind: 'read', name });
const write = (name: string): Step => ({ kind: 'write', name });

export function faultyStore(world: World, call: Caller): Store {
  const { store } = world.harness;
  const reads = <R>() => readFaults<R>(world);
  const creating =
    <T>(documents: Pick<Documents<T>, 'get'>, id: string) =>
    (): Fault<Created<T>>[] => [...writeFaults<Created<T>>(world), ...ambiguousCreate(world, documents, id)];
  const replacing =
    <T>(id: string) =>
    (): Fault<Stored<T>>[] => [...writeFaults<Stored<T>>(world), ...ambiguousReplace<T>(world, id)];
  const documents = <T>(name: string, inner: Documents<T>): Documents<T> => ({
    get: (id) => call(read(`${name}.get`), id, reads, () => inner.get(id)),
    getMany: (ids) => call(read(`${name}.getMany`), '', reads, () => inner.getMany(ids)),
    find: (query, page) => call(read(`${name}.find`), '', reads, () => inner.find(query, page)),
    count: (query) => call(read(`${name}.count`), '', reads, () => inner.count(query)),
    sum: (query, field) => call(read(`${name}.sum`), '', reads, () => inner.sum(query, field)),
    watch: (...args) => inner.watch(...args),
    create: (id, value) =>
      call(write(`${name}.create`), id, creating(inner, id), () => inner.create(id, value)),
    replace: (stored, next) =>
      call(write(`${name}.replace`), stored.id, replacing(stored.id), () => inner.replace(stored, next)),
  });
  const { records } = store;
  return {
    records: {
      ...documents('records', records),
      create: (id, value, request) =>
        call(write('records.create'), id, creating(records, id), () => records.create(id, value, request)),
      replace: (stored, next, request) =>
        call(write('records.replace'), stored.id, replacing(stored.id), () =>
          records.replace(stored, next, request),
        ),
      readRequest: (id) => call(read('records.readRequest'), id, reads, () => records.readRequest(id)),
      defer: (id, problem, dueAt) =>
        call(
          write('records.defer'),
          id,
          () => writeFaults(world),
          () => records.defer(id, problem, dueAt),
        ),
    },
    projects: documents('projects', store.projects),
    sweeps: documents('sweeps', store.sweeps),
    lists: documents('lists', store.lists),
    rejectedMessages: documents('rejectedMessages', store.rejectedMessages),
    batches: documents('batches', store.batches),
    // Only operators write budgets.
    budgets: { ...store.budgets, ...documents('budgets', store.budgets) },
    budgetStatus: documents('budgetStatus', store.budgetStatus),
    settings: documents('settings', store.settings),
    close: async () => {},
  };
}

export const faultyPublisher = (world: World, call: Caller): Publisher => ({
  publish: (topic, messages, timeoutMs) =>
    call(
      { kind: 'publish', name: `publish ${messages.length} to ${topic}` },
      '',
      // What is rejected is not kept if its topic fails: only the death of the process is no excuse.
      () => (topic === world.harness.config.topics.deadLetters ? [] : publishFaults(world, messages)),
      () => world.publish(topic, messages, timeoutMs),
    ),
  close: async () => {},
});

export function faultyEarthEngine(world: World, inner: EarthEngine, call: Caller): EarthEngine {
  const { plan } = world;
  const isUnmarked = plan.features.has('answers-without-marker');
  const shown = (page: OperationPage): OperationPage =>
    plan.weather.hidesDescriptions && world.isRough()
      ? { ...page, operations: page.operations.map((each) => ({ ...each, description: undefined })) }
      : page;
  /** A call as its faults need it: its deadline counts from here, and its way to Earth Engine is part of it. */
  const callOf = (
    kind: EarthEngineCall['kind'],
    options: CallOptions,
    isRefused = false,
  ): EarthEngineCall => ({
    kind,
    isAborted: () => options.signal?.aborted === true,
    deadlineMs: world.timeline.nowMs() + options.timeoutMs,
    isRefused,
  });
  return {
    startExport: (project, request, options) => {
      const { requestId, description } = JSON.parse(new TextDecoder().decode(request)) as SentRequest;
      const made = callOf('export', options, kindOfDescription(description) === 'refused');
      return call(
        { kind: 'export', name: 'startExport' },
        requestId,
        () => [
          ...earthEngineFaults<Operation>(world, made),
          ...(isUnmarked ? [noMarker, noMarker, noMarker] : []),
        ],
        () => inner.startExport(project, request, options),
        options.timeoutMs,
      );
    },
    getOperation: (operation, options) => {
      const made = callOf('get', options);
      return call(
        { kind: 'get', name: 'getOperation' },
        operation,
        () => earthEngineFaults(world, made),
        () => inner.getOperation(operation, options),
        options.timeoutMs,
      );
    },
    listOperations: (project, pageToken, options) => {
      const made = callOf('list', options);
      return call(
        { kind: 'list', name: 'listOperations' },
        project,
        () => earthEngineFaults(world, made),
        async () => shown(await inner.listOperations(project, pageToken, options)),
        options.timeoutMs,
      );
    },
    cancelOperation: (operation, options) => {
      const made = callOf('cancel', options);
      return call(
        { kind: 'cancel', name: 'cancelOperation' },
        operation,
        () => earthEngineFaults(world, made),
        () => inner.cancelOperation(operation, options),
        options.timeoutMs,
      );
    },
    serviceAccount: () =>
      plan.settings.tokens === undefined
        ? inner.serviceAccount()
        : call(
            read('serviceAccount'),
            '',
            () => [noCredentials()],
            () => inner.serviceAccount(),
          ),
  };
}

interface SentRequest {
  readonly requestId: string;
  readonly description: string;
}

const noCredentials = <R>(): Fault<R> => ({
  name: 'no credentials',
  strike: () => {
    const call = { kind: 'get', name: 'Looking up the service account' } as const;
    return Promise.reject(notSent(call, 'the metadata server does not answer'));
  },
});

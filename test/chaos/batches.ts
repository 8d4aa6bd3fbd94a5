import { setTimeout as wait } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';

import type { ExportCall } from '../../infra/local/simulator/index.ts';

import { batchDocumentId, parseRequestId, recordIdOf } from '../../shared/model/ids.ts';
import type { Batch } from '../../shared/model/batch.ts';
import { type ExportRecord, isTerminal } from '../../shared/model/record.ts';
import { batchesOf } from '../../shared/record/batches.ts';
import { retryJobs } from '../../shared/retry/retry.ts';
import type { Services } from '../../shared/services.ts';
import { isReadable, type Store } from '../../shared/store/store.ts';
import { smallJob } from '../harness.ts';

/**
 * Two batches that share jobs, and a job of both that is canceled, retried, and then hears of its cancellation once more. A
 * third batch is canceled as a whole.
 */

/** Operations whose description has this word do not end. */
export const endless = 'endless';

const RUN = '2026-11-23';
const PROJECT = 'chaos-rivers';
const CANCELED_JOB = 4;
const LOOK_EVERY_MS = 250;
/** A sender that did not see the cancellation sends until its lease expires, and its request can arrive late. */
const SENT_EARLIER_MS = 15_000;

/** The numbers of the jobs of each batch. */
const numbers = { one: [0, 1, 2, 3, 4, 5], two: [4, 5, 6, 7], three: [8, 9, 10, 11] } as const;
type Name = keyof typeof numbers;
const names = Object.keys(numbers) as Name[];

const keyOf = (n: number, run: string): string => `chaos-batch/${run}/${n}`;
const idOf = (n: number, run: string, attempt = 1): string =>
  recordIdOf({ project: PROJECT, jobKey: keyOf(n, run), attempt });
const batchIdOf = (name: Name): string => batchDocumentId(`chaos-${name}`, RUN);

/** What a run of batches must come to. */
export interface BatchWork {
  /** All records: of every job, and of the retry. */
  readonly recordIds: ReadonlySet<string>;
  /** Those that a cancellation may end. */
  readonly canceled: ReadonlySet<string>;
  readonly retried: string;
  readonly batches: readonly { readonly id: string; readonly jobs: number }[];
}

export function batchWork(run: string): BatchWork {
  const all = [...new Set(names.flatMap((name) => numbers[name]))];
  const retried = idOf(CANCELED_JOB, run, 2);
  return {
    recordIds: new Set([...all.map((n) => idOf(n, run)), retried]),
    canceled: new Set([CANCELED_JOB, ...numbers.three].map((n) => idOf(n, run))),
    retried,
    batches: names.map((name) => ({ id: batchIdOf(name), jobs: numbers[name].length })),
  };
}

const manifestOf = (name: Name, run: string): object => ({
  batchId: `chaos-${name}`,
  run: RUN,
  matrix: {
    job: numbers[name].map((n) => ({
      key: keyOf(n, run),
      text: `${n === CANCELED_JOB || name === 'three' ? endless : 'clear'}-batch-${run}-${n}`,
    })),
  },
  job: smallJob({ jobKey: '${job.key}', project: PROJECT }, { description: '${job.text}' }),
});

export interface BatchStage {
  readonly store: Store;
  readonly services: Services;
  publish(topic: 'batches' | 'cancellations', data: object): Promise<string>;
  /** Delivers a message again that was delivered before. @returns whether it was handled */
  deliverAgain(messageId: string): Promise<boolean>;
  /** Operations that start from now on end. */
  endEndless(): void;
}

/** Plays them while faults occur. */
export async function playBatches(stage: BatchStage, run: string, signal: AbortSignal): Promise<void> {
  const { store, services } = stage;
  /** On a busy machine, a call of the operator fails too, and is repeated. */
  const until = async <R>(work: () => Promise<R | false>): Promise<R> => {
    for (;;) {
      const result = await work().catch(() => false as const);
      if (result !== false) {
        return result;
      }
      await wait(LOOK_EVERY_MS, undefined, { signal });
    }
  };
  for (const name of names) {
    await until(() => stage.publish('batches', manifestOf(name, run)));
  }
  const recordOf = async (id: string): Promise<ExportRecord | undefined> => {
    const found = (await store.records.getMany([id]))[0];
    return found && isReadable(found) ? found.value : undefined;
  };
  const canceled = idOf(CANCELED_JOB, run);
  await until(async () => (await recordOf(canceled)) !== undefined);
  const canceling = { jobKey: keyOf(CANCELED_JOB, run), project: PROJECT };
  const messageId = await until(() => stage.publish('cancellations', canceling));
  await until(async () => (await readBatch(store, batchIdOf('three')))?.state === 'RUNNING');
  await until(() => stage.publish('cancellations', { batchId: batchIdOf('three') }));
  await until(async () => {
    const record = await recordOf(canceled);
    return record !== undefined && isTerminal(record);
  });
  stage.endEndless();
  await until(() => retryJobs(services, { recordIds: [canceled] }));
  await until(() => stage.deliverAgain(messageId));
}

async function readBatch(store: Store, id: string): Promise<Batch | undefined> {
  const found = await store.batches.get(id);
  return found && isReadable(found) ? found.value : undefined;
}

/** What of the batches is not over, or not right. */
export function batchProblems(
  { batches: expected, recordIds, canceled, retried }: BatchWork,
  records: ReadonlyMap<string, ExportRecord>,
  batches: ReadonlyMap<string, Batch>,
  exportCalls: readonly ExportCall[],
): string[] {
  return [
    ...[...recordIds].filter((id) => !records.has(id)).map((id) => `${id}, a job of a batch, has no record`),
    ...expected.flatMap(({ id, jobs }) => {
      const batch = batches.get(id);
      if (batch?.state !== 'FINISHED' || batch.published !== jobs) {
        return [`batch ${id} is ${batch?.state}, ${batch?.published} of ${jobs} published`];
      }
      const own = [...records.values()].filter((record) => batchesOf(record).includes(id));
      const states = Map.groupBy(own, ({ state }) => state);
      const actual = Object.fromEntries([...states].map(([state, { length }]) => [state, length]));
      return isDeepStrictEqual(actual, batch.counts)
        ? []
        : [`batch ${id} counts ${JSON.stringify(batch.counts)}, its records are ${JSON.stringify(actual)}`];
    }),
    ...[...records].flatMap(([id, { cancelRequestedAt }]) => {
      if (cancelRequestedAt === undefined) {
        return [];
      }
      if (!canceled.has(id)) {
        return [`${id} was canceled${id === retried ? ' by the cancellation before its retry' : ''}`];
      }
      const lastMs = cancelRequestedAt.getTime() + SENT_EARLIER_MS;
      const late = exportCalls.filter(
        ({ requestId, at }) => parseRequestId(requestId ?? '')?.recordId === id && Date.parse(at) > lastMs,
      );
      return late.map(({ at }) => `${id} was sent at ${at}, after its cancellation`);
    }),
  ];
}

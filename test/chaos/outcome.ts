import { hash } from 'node:crypto';

import type { PubsubRest } from '../../infra/local/pubsub-rest.ts';
import type { Simulator } from '../../infra/local/simulator/index.ts';
import { eventsSubscription } from '../../infra/local/stack.ts';
import { SECOND_MS } from '../../shared/clock.ts';
import type { Topics } from '../../shared/config.ts';
import { keptSubscription } from '../../shared/dead-letters/replay.ts';
import { isReadable, type Store } from '../../shared/store/store.ts';
import type { Balancer } from './balancer.ts';
import type { BatchWork } from './batches.ts';
import type { Outcome, PublishedMessage } from './verify.ts';

/** Reading what a run came to: from Firestore, from Pub/Sub, and from Earth Engine. */

const EMPTY_AFTER_MS = 2 * SECOND_MS;

/** One stack, and the messages that were published to it so far. */
export interface Stage {
  readonly pubsub: PubsubRest;
  readonly topics: Topics;
  readonly store: Store;
  readonly simulator: Simulator;
  readonly balancer: Balancer;
  readonly published: PublishedMessage[];
  readonly work: BatchWork;
}

export async function readRecords(store: Store): Promise<Pick<Outcome, 'records' | 'unreadable'>> {
  const found = await store.records.find({ where: [], orderBy: [] }, { limit: 100_000 });
  return {
    records: new Map(found.filter(isReadable).map(({ id, value }) => [id, value])),
    unreadable: found.filter((each) => !isReadable(each)).map(({ id }) => id),
  };
}

export async function readBatches(store: Store): Promise<Outcome['batches']> {
  const found = await store.batches.find({ where: [], orderBy: [] }, { limit: 1000 });
  return new Map(found.filter(isReadable).map(({ id, value }) => [id, value]));
}

export async function readOutcome({
  pubsub,
  topics,
  store,
  simulator,
  balancer,
  published,
  work,
}: Stage): Promise<Outcome> {
  const { records, unreadable } = await readRecords(store);
  const requestHashes = await Promise.all(
    [...records.keys()].map(
      async (id) => [id, hash('sha256', await store.records.readRequest(id), 'hex')] as const,
    ),
  );
  const rejected = await store.rejectedMessages.find({ where: [], orderBy: [] }, { limit: 100_000 });
  const events = await pullAll(pubsub, eventsSubscription(topics));
  const kept = await pullAll(pubsub, keptSubscription(topics));
  return {
    published,
    work,
    batches: await readBatches(store),
    records,
    unreadable,
    requestHashes: new Map(requestHashes),
    rejected: new Map(rejected.filter(isReadable).map(({ id, value }) => [id, value])),
    operations: simulator.operations(),
    exportCalls: simulator.exportCalls,
    acknowledged: balancer.acknowledged,
    publishedStates: new Set(events.map(({ recordId, state }) => `${recordId}:${state}`)),
    deadLetters: kept.filter(({ rejectedMessageId }) => rejectedMessageId === undefined).length,
  };
}

/** Pulls every message of a subscription, and returns their attributes. */
async function pullAll(
  pubsub: PubsubRest,
  subscription: string,
): Promise<Readonly<Record<string, string>>[]> {
  const all: Readonly<Record<string, string>>[] = [];
  for (;;) {
    // The emulator does not respond until it has a message.
    const signal = AbortSignal.timeout(EMPTY_AFTER_MS);
    const pulled = await pubsub.pull(subscription, signal).catch((error: unknown) => {
      if (signal.aborted) {
        return [];
      }
      throw error;
    });
    if (pulled.length === 0) {
      return all;
    }
    all.push(...pulled.map(({ attributes }) => attributes));
  }
}

import { Firestore } from '@google-cloud/firestore';

import { boundedCalls } from './bounded-call.ts';
import { collections } from './collections.ts';
import { firestoreBudgets } from './firestore/budgets.ts';
import { firestoreDocuments } from './firestore/documents.ts';
import { firestoreRecords } from './firestore/records.ts';
import type { Store } from './store.ts';

export interface FirestoreStoreOptions {
  readonly projectId: string;
  /** `(default)` or a named database */
  readonly databaseId: string;
  /** host:port. The client itself reads FIRESTORE_EMULATOR_HOST, which takes precedence. */
  readonly emulatorHost?: string | undefined;
  /**
   * The total time that a call may take. By itself, the client retries for minutes if a database does not respond, and by
   * then the caller has given up. A write that timed out may still happen later: its condition protects it even then.
   */
  readonly timeoutMs?: number;
}

/** The store in Firestore. Only this module and its folder use Firestore's client. */
export function createFirestoreStore({
  projectId,
  databaseId,
  emulatorHost,
  timeoutMs = 10_000,
}: FirestoreStoreOptions): Store {
  const database = new Firestore({
    projectId,
    databaseId,
    ignoreUndefinedProperties: true,
    ...(emulatorHost === undefined ? {} : { host: emulatorHost, ssl: false }),
  });
  const { call, ended } = boundedCalls('Firestore', timeoutMs);
  return {
    records: firestoreRecords(database, call),
    projects: firestoreDocuments(database, call, collections.projects),
    sweeps: firestoreDocuments(database, call, collections.sweeps),
    lists: firestoreDocuments(database, call, collections.lists),
    rejectedMessages: firestoreDocuments(database, call, collections.rejectedMessages),
    batches: firestoreDocuments(database, call, collections.batches),
    budgets: firestoreBudgets(database, call),
    budgetStatus: firestoreDocuments(database, call, collections.budgetStatus),
    settings: firestoreDocuments(database, call, collections.settings),
    async close() {
      // If it is terminated while it still retries, the client throws where no code can catch it.
      if (await ended()) {
        await database.terminate();
      }
    },
  };
}

import type { Firestore } from '@google-cloud/firestore';

import type { BoundedCall } from '../bounded-call.ts';
import { collections } from '../collections.ts';
import type { Budgets } from '../store.ts';
import { firestoreDocuments } from './documents.ts';

/** Budgets, which are also written unconditionally and deleted. */
export function firestoreBudgets(database: Firestore, call: BoundedCall): Budgets {
  const { reference, ...documents } = firestoreDocuments(database, call, collections.budgets);
  return {
    ...documents,
    async put(id, value) {
      const budget = reference(id);
      await call('write', budget.path, () => budget.set(value));
    },
    async remove(id) {
      const budget = reference(id);
      await call('delete', budget.path, () => budget.delete());
    },
  };
}

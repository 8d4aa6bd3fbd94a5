import { FieldValue, type CollectionReference, type Firestore } from '@google-cloud/firestore';

import { DAY_MS, later } from '../../clock.ts';
import type { ExportRecord } from '../../model/record.ts';
import { rpcCodeOf, rpcCodes } from '../../rpc-codes.ts';
import type { BoundedCall } from '../bounded-call.ts';
import { collections } from '../collections.ts';
import { sameValue } from '../fields.ts';
import { COMMITTED_PARTS, joinRequest, partId, splitRequest, type RequestPart } from '../request-parts.ts';
import type { Records } from '../store.ts';
import { firestoreDocuments, type CommitExtras } from './documents.ts';
import { PARTS_FIELD, partsIn } from './version.ts';

/** Records, with the parts of their requests in a subcollection. */
export function firestoreRecords(database: Firestore, call: BoundedCall): Records {
  const { reference, ...documents } = firestoreDocuments(database, call, collections.records);
  const partsOf = (id: string) => reference(id).collection('request');

  return {
    ...documents,

    create: async (id, value, request) =>
      documents.create(id, value, request && (await addRequest(call, partsOf(id), value, request, 0))),

    async replace(stored, next, request) {
      const { id, value, version } = stored;
      const partsBefore = partsIn(version);
      const expireAt = expiryOf(next);
      let extras: CommitExtras | undefined;
      if (request) {
        extras = await addRequest(call, partsOf(id), next, request, partsBefore);
      } else if (expireAt && !sameValue(expiryOf(value), expireAt)) {
        extras = await expireRequest(call, partsOf(id), partsBefore, expireAt);
      }
      return documents.replace(stored, next, extras);
    },

    async readRequest(id) {
      const parts = partsOf(id);
      return joinRequest(parts.path, await call('read', parts.path, () => readParts(database, parts)));
    },

    async defer(id, problem, dueAt) {
      const record = reference(id);
      try {
        await call('defer', record.path, () => record.update({ setAside: { problem }, dueAt }));
      } catch (error) {
        // It was deleted, so no query finds it.
        if (rpcCodeOf(error) !== rpcCodes.NOT_FOUND) {
          throw error;
        }
      }
    },
  };
}

const expiryOf = (record: ExportRecord): Date | undefined =>
  'expireAt' in record ? record.expireAt : undefined;

/** A request's parts, for the commit of its record. That commit fails unless the parts written ahead exist. */
async function addRequest(
  call: BoundedCall,
  collection: CollectionReference,
  next: ExportRecord,
  request: Uint8Array,
  partsBefore: number,
): Promise<CommitExtras> {
  const parts = await splitRequest(request);
  await writeAhead(call, collection, parts, next.updatedAt);
  const expireAt = expiryOf(next);
  return {
    fields: { [PARTS_FIELD]: Math.max(parts.length, partsBefore) },
    addTo: (batch) => {
      for (const [n, part] of parts.entries()) {
        const document = collection.doc(partId(n, part));
        if (n < COMMITTED_PARTS) {
          batch.set(document, { ...part, expireAt });
        } else {
          batch.update(document, { expireAt: expireAt ?? FieldValue.delete() });
        }
      }
    },
  };
}

/**
 * Writes the parts that do not fit into the record's own commit, before any record refers to them. They expire within a day
 * unless that commit prevents it, so a claim that fails leaves nothing behind. An existing part has the same content and
 * can be the winning claim's: it is left unchanged.
 */
async function writeAhead(
  call: BoundedCall,
  collection: CollectionReference,
  parts: readonly RequestPart[],
  now: Date,
): Promise<void> {
  const ahead = [...parts.entries()].slice(COMMITTED_PARTS);
  await Promise.all(
    ahead.map(async ([n, part]) => {
      const document = collection.doc(partId(n, part));
      try {
        await call('create', document.path, () => document.create({ ...part, expireAt: later(now, DAY_MS) }));
      } catch (error) {
        if (rpcCodeOf(error) !== rpcCodes.ALREADY_EXISTS) {
          throw error;
        }
      }
    }),
  );
}

/** Makes the stored parts expire with their record. Their ids are listed only if some were written ahead. */
async function expireRequest(
  call: BoundedCall,
  collection: CollectionReference,
  parts: number,
  expireAt: Date,
): Promise<CommitExtras> {
  const stored =
    parts > COMMITTED_PARTS
      ? await call('list', collection.path, () => collection.listDocuments())
      : Array.from({ length: parts }, (_, n) => collection.doc(String(n)));
  return {
    addTo: (batch) => {
      for (const part of stored) {
        batch.set(part, { expireAt }, { merge: true });
      }
    },
  };
}

async function readParts(
  database: Firestore,
  collection: CollectionReference,
): Promise<(Partial<RequestPart> | undefined)[]> {
  const first = (await collection.doc('0').get()).data() as RequestPart | undefined;
  if (!first || first.parts === 1) {
    return [first];
  }
  const others = Array.from({ length: first.parts - 1 }, (_, n) => collection.doc(partId(n + 1, first)));
  const rest = await database.getAll(...others);
  return [first, ...rest.map((part) => part.data())];
}

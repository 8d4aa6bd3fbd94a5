import type { ServiceError, UnreadableError } from '../errors.ts';
import type { ProjectStatus, Sweep, UnfinishedList } from '../model/project-status.ts';
import type { Batch } from '../model/batch.ts';
import type { Budget, BudgetStatus } from '../model/budget.ts';
import type { ExportRecord } from '../model/record.ts';
import type { RejectedMessage } from '../model/rejected-message.ts';
import type { ServiceSettings } from '../model/service-settings.ts';
import type { Fields } from './fields.ts';
import type { Query } from './queries.ts';

/** A document as read. Every write changes `version`, which is the condition of the next write. */
export interface Stored<T> {
  readonly id: string;
  readonly value: T;
  /** Opaque; Firestore's update time. */
  readonly version: string;
}

/** A document that exists but cannot be parsed. It must not block others. */
export interface Unreadable {
  readonly id: string;
  readonly unreadable: UnreadableError;
  /** Its fields, unparsed. */
  readonly fields: Fields;
  readonly version: string;
}

export type Found<T> = Stored<T> | Unreadable;

export const isReadable = <T>(found: Found<T>): found is Stored<T> => 'value' in found;

/** A document that the next write replaces as a whole, whatever is in it. */
export const toReplace = <T>(found: Found<T>): Stored<T> =>
  isReadable(found) ? found : { id: found.id, value: found.fields as T, version: found.version };

/**
 * One page of a query: at most `limit` documents, after the values of the ordered fields in `after`. With values for only the
 * first of these fields, the page starts after every document that has them. With all of them and the id (`cursorOf`), it
 * starts right after one document.
 */
export interface Page {
  readonly limit: number;
  readonly after?: readonly unknown[];
}

/** The start of the next page of `query`: after `last`, the last document of this page, readable or not. */
export function cursorOf(query: Query, last: Found<object>): unknown[] {
  const fields = isReadable(last) ? (last.value as Fields) : last.fields;
  return [...query.orderBy.map(([field]) => fields[field]), last.id];
}

/** A collection of documents of one type, parsed on every read. Dates are Dates, to the millisecond. */
export interface Documents<T> {
  get(id: string): Promise<Found<T> | undefined>;
  /** The documents that exist, in any order. */
  getMany(ids: readonly string[]): Promise<Found<T>[]>;
  /** Writes the document only if none exists; otherwise returns the existing one. Atomic. */
  create(id: string, value: T): Promise<Created<T>>;
  /**
   * Replaces what was read with `next`. Fields of the document beyond its schema stay.
   *
   * @throws StaleWriteError if it was written or deleted since
   */
  replace(stored: Stored<T>, next: T): Promise<Stored<T>>;
  find(query: Query, page: Page): Promise<Found<T>[]>;
  /** The database counts: billed by index entries (one read per thousand), not by documents. */
  count(query: Query): Promise<number>;
  /** The database sums a numeric field over the matches; documents without it count as 0. */
  sum(query: Query, field: string): Promise<number>;
  /**
   * Reports the first `limit` documents of a query, then those of them that are new or have changed, until the returned
   * function is called. It is billed by reported document.
   */
  watch(query: Query, limit: number, watcher: Watcher<T>): () => void;
}

/** Receives what a watched query finds. */
export interface Watcher<T> {
  /**
   * Called with all documents first, even if there are none. Each later call has at least one. If a call has as many as the
   * limit, there may have been more, which are never reported.
   */
  changed(documents: readonly Found<T>[]): void;
  /** The watch has ended and reports nothing anymore. Short interruptions don't end it. */
  failed(error: ServiceError): void;
}

export type Created<T> = { readonly created: Stored<T> } | { readonly existing: Found<T> };

/** Records, and the exact bytes of their requests. */
export interface Records extends Documents<ExportRecord> {
  /**
   * The claim: one commit creates the record and writes its request parts (none for a record without a request). Only the
   * record's creation is conditional: parts that an expired record left behind are overwritten.
   */
  create(id: string, value: ExportRecord, request?: Uint8Array): Promise<Created<ExportRecord>>;
  /**
   * @param request replaces the stored bytes in the same commit (a new generation). If `next` has an `expireAt`, the parts
   * get it too
   */
  replace(
    stored: Stored<ExportRecord>,
    next: ExportRecord,
    request?: Uint8Array,
  ): Promise<Stored<ExportRecord>>;
  /** The request bytes, exactly as they were stored. @throws UnreadableError if parts are missing or damaged */
  readRequest(id: string): Promise<Uint8Array>;
  /** Defers a document that cannot be parsed: stores `problem` in its `setAside`, and a later `dueAt`. */
  defer(id: string, problem: string, dueAt: Date): Promise<void>;
}

/** Budgets: operators write them, and the last one wins. */
export interface Budgets extends Documents<Budget> {
  /** Writes the document whole, whatever was there. */
  put(id: string, value: Budget): Promise<void>;
  /** Deletes the document, if there is one. */
  remove(id: string): Promise<void>;
}

/** Everything that the service stores. */
export interface Store {
  readonly records: Records;
  /** `videoExportProjects/{project}`: gate and flags, read by every instance every few seconds. */
  readonly projects: Documents<ProjectStatus>;
  /** `videoExportSweeps/{project}`: what the last sweeps found. */
  readonly sweeps: Documents<Sweep>;
  /** `videoExportLists/{project}`: a list that takes longer than a run. */
  readonly lists: Documents<UnfinishedList>;
  /** `rejectedMessages/{messageId}`. */
  readonly rejectedMessages: Documents<RejectedMessage>;
  /** `videoExportBatches/{batchId}@{run}`. */
  readonly batches: Documents<Batch>;
  /** `exportBudgets/{id}`. */
  readonly budgets: Budgets;
  /** `exportBudgetStatus/current`. */
  readonly budgetStatus: Documents<BudgetStatus>;
  /** `videoExportSettings/service`: what clients need to know about this deployment. */
  readonly settings: Documents<ServiceSettings>;
  close(): Promise<void>;
}

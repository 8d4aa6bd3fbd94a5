import type { UnreadableError } from '../errors.ts';
import type { ProjectStatus, Sweep } from '../model/project-status.ts';
import type { Batch } from '../model/batch.ts';
import type { ExportRecord } from '../model/record.ts';
import type { RejectedMessage } from '../model/rejected-message.ts';
import type { Fields } from './fields.ts';
import type { Query } from './queries.ts';

/** A document as it was read: `version` changes with every write and conditions the next one. */
export interface Stored<T> {
  readonly id: string;
  readonly value: T;
  /** Opaque; Firestore's update time. */
  readonly version: string;
}

/** A document that is there but cannot be parsed. It must not keep others from being handled. */
export interface Unreadable {
  readonly id: string;
  readonly unreadable: UnreadableError;
  /** What is there, unparsed. */
  readonly fields: Fields;
}

export type Found<T> = Stored<T> | Unreadable;

export const isReadable = <T>(found: Found<T>): found is Stored<T> => 'value' in found;

/**
 * One page of a query: at most `limit`, after the given values of the query's order. A prefix of them will do and skips
 * everything that shares it; all of them and the id (`cursorOf`) go on right after one document.
 */
export interface Page {
  readonly limit: number;
  readonly after?: readonly unknown[];
}

/** Where the next page of `query` starts: after `last`, the last document of this one, readable or not. */
export function cursorOf(query: Query, last: Found<object>): unknown[] {
  const fields = isReadable(last) ? (last.value as Fields) : last.fields;
  return [...query.orderBy.map(([field]) => fields[field]), last.id];
}

/** A collection of documents of one type, parsed on every read. Dates are Dates, to the millisecond. */
export interface Documents<T> {
  get(id: string): Promise<Found<T> | undefined>;
  /** Those that exist, in any order. */
  getMany(ids: readonly string[]): Promise<Found<T>[]>;
  /** Writes the document only where none is; says what stands there otherwise. Atomic. */
  create(id: string, value: T): Promise<Created<T>>;
  /**
   * Writes `next` in place of what was read. Fields of the document that its schema does not know stay.
   *
   * @throws StaleWriteError when it was written or deleted since
   */
  replace(stored: Stored<T>, next: T): Promise<Stored<T>>;
  find(query: Query, page: Page): Promise<Found<T>[]>;
  /** Counted by the database: billed by index entries (one read per thousand), not by documents. */
  count(query: Query): Promise<number>;
  /** Sum of a numeric field over the matches, by the database; documents without it count 0. */
  sum(query: Query, field: string): Promise<number>;
}

export type Created<T> = { readonly created: Stored<T> } | { readonly existing: Found<T> };

/** Records, with the exact bytes of their requests beside them. */
export interface Records extends Documents<ExportRecord> {
  /**
   * The claim: in one commit, creates the record and sets its request parts (none for a record without a request). Only
   * the record's `create` is conditioned: parts left behind by an expired record are overwritten.
   */
  create(id: string, value: ExportRecord, request?: Uint8Array): Promise<Created<ExportRecord>>;
  /**
   * @param request replaces the stored bytes in the same commit (a new generation). Where `next` has an `expireAt`, the
   * parts get it too.
   */
  replace(
    stored: Stored<ExportRecord>,
    next: ExportRecord,
    request?: Uint8Array,
  ): Promise<Stored<ExportRecord>>;
  /** The stored request bytes, exactly as they were given. @throws UnreadableError when parts are missing or damaged */
  readRequest(id: string): Promise<Uint8Array>;
  /** Moves a document that cannot be parsed out of the way: notes `problem` in its `setAside` and moves its `dueAt`. */
  defer(id: string, problem: string, dueAt: Date): Promise<void>;
}

/** Everything the service keeps. */
export interface Store {
  readonly records: Records;
  /** `videoExportProjects/{project}`: gate and flags, read by every instance every few seconds. */
  readonly projects: Documents<ProjectStatus>;
  /** `videoExportSweeps/{project}`: what the last sweeps saw. */
  readonly sweeps: Documents<Sweep>;
  /** `rejectedMessages/{messageId}`. */
  readonly rejectedMessages: Documents<RejectedMessage>;
  /** `videoExportBatches/{batchId}@{run}`. */
  readonly batches: Documents<Batch>;
  close(): Promise<void>;
}

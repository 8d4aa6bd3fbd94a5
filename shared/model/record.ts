import { z } from 'zod';

import { MAX_ATTEMPT, operationPattern, requestIdPattern } from './ids.ts';

/**
 * `videoExports/{recordId}`: one attempt at one job.
 *
 * Written by: submitExport (claims it, records EE's answer), pollExports (follows it to its end), cancelExports (marks
 * it), recordDeadLetter (notes a dead message). Every write is conditioned on the version that was read. Deleted by
 * Firestore's TTL on `expireAt`, never by the service: a job's identity is remembered exactly that long.
 */

/** EE's and our own reasons in one form. `code` is an HTTP status, or a google.rpc code where an operation failed. */
export const recordErrorSchema = z.object({
  code: z.int(),
  /** The name that goes with the code (`PERMISSION_DENIED`), or our own (`SUBMIT_DEADLINE`). */
  status: z.string(),
  message: z.string(),
  /** Whether running the same job again could end otherwise. */
  retryable: z.boolean(),
});
export type RecordError = z.infer<typeof recordErrorSchema>;

const historyEntry = z.object({ state: z.string(), at: z.date(), note: z.string().optional() });

/** What is told on the event topic: a change of state, or something an operator wants to know of. */
const eventKinds = ['STATE', 'STALLED', 'EXTRA_OPERATION'] as const;
export type EventKind = (typeof eventKinds)[number];

/** An event that is owed: the record was written before it could be published. */
const unpublishedEvent = z.object({
  revision: z.int(),
  state: z.string(),
  kind: z.enum(eventKinds),
  at: z.date(),
});
export type UnpublishedEvent = z.infer<typeof unpublishedEvent>;

/** An operation that carries this record's marker beside the record's own: a double, seen. */
const extraOperation = z.object({
  operation: z.string().regex(operationPattern),
  requestId: z.string(),
  seenAt: z.date(),
  /** Absent where it is only told of: not a generation that this record sent. */
  cancelledAt: z.date().optional(),
});

const common = {
  requestId: z.string().regex(requestIdPattern),
  project: z.string(),
  jobKey: z.string().optional(),
  attempt: z.int().min(1).max(MAX_ATTEMPT),
  batchId: z.string().optional(),
  /** Further batches that have this job: their messages came when the record was there. */
  alsoBatches: z.array(z.string()).optional(),
  labels: z.record(z.string(), z.string()),
  contentHash: z.string(),
  messageId: z.string(),
  /** As EE has it: the caller's text and the marker. */
  description: z.string(),
  /** `gs://bucket/prefix` or `drive:folder/prefix`. */
  destination: z.string(),
  priority: z.int(),
  workloadTag: z.string().optional(),
  /** Raised by every write: the event's number. */
  revision: z.int().min(1),
  /** How often `video:export` was called for it. */
  submissions: z.int().min(0),
  /** Who submitted it: EE deduplicates per account. Absent against a simulator. */
  serviceAccount: z.string().optional(),
  retryOf: z.string().optional(),
  cancelRequestedAt: z.date().optional(),
  extraOperations: z.array(extraOperation).optional(),
  unpublishedEvents: z.array(unpublishedEvent).optional(),
  createdAt: z.date(),
  submittedAt: z.date().optional(),
  updatedAt: z.date(),
  history: z.array(historyEntry).min(1),
};

/** Two complete searches that found no operation prove there is none, when enough lies between them (`proof.ts`). */
const searches = z.object({
  /** When the first complete search that found nothing ended. */
  firstEndedAt: z.date(),
  /** When the latest one started. */
  lastStartedAt: z.date(),
  /** When EE last refused the id as already used, after the first search. */
  refusedAt: z.date().optional(),
});
export type Searches = z.infer<typeof searches>;

/** The protocol's own memory, before an operation is known. */
const unsettled = {
  generation: z.int().min(1),
  /** How many sends of the current id got no answer: any of them may have started an operation. */
  unanswered: z.int().min(0),
  searches: searches.optional(),
  /** How often it has waited in a row because of an outage, a permission or an adoption: what the backoff doubles by. */
  waits: z.int().min(0),
  /** The first outage or permission answer in a row, from which SUBMIT_DEADLINE_HOURS count. */
  outageSince: z.date().optional(),
  /** Why it last had to wait, or why it is to be rejected once no send can still have started an operation. */
  error: recordErrorSchema.optional(),
  /** Rejected as soon as it is proven that no operation exists (rule 7). */
  rejecting: z.boolean().optional(),
  dueAt: z.date(),
};

export const waitingForSchema = z.enum(['QUEUE', 'RATE', 'SERVICE', 'PERMISSION', 'ADOPTION']);
export type WaitingFor = z.infer<typeof waitingForSchema>;

/** What is known of an operation. */
const observed = {
  operation: z.string().regex(operationPattern),
  progress: z.number().min(0).max(1).optional(),
  stage: z.string().optional(),
  runAttempt: z.int().optional(),
  startedAt: z.date().optional(),
  eecuSeconds: z.number().optional(),
};

const active = {
  ...common,
  ...observed,
  generation: z.int().min(1),
  /** Work units done over all stages: with `progress`, the sign of life that counts. */
  units: z.number().optional(),
  /** When progress or units last moved. */
  movedAt: z.date(),
  stalledSince: z.date().optional(),
  /** Since when EE says it does not know the operation. It is LOST only after a complete list and a second such answer. */
  missingSince: z.date().optional(),
  dueAt: z.date(),
};

const terminal = {
  ...common,
  finishedAt: z.date(),
  expireAt: z.date(),
};

export const recordSchema = z.discriminatedUnion('state', [
  z.object({
    ...common,
    ...unsettled,
    state: z.literal('SUBMITTING'),
    claim: z.object({ token: z.string(), leaseUntil: z.date() }),
  }),
  z.object({ ...common, ...unsettled, state: z.literal('WAITING'), waitingFor: waitingForSchema }),
  z.object({ ...active, state: z.literal('PENDING') }),
  z.object({ ...active, state: z.literal('RUNNING') }),
  z.object({ ...active, state: z.literal('CANCELLING') }),
  z.object({ ...terminal, ...observed, state: z.literal('SUCCEEDED'), outputUris: z.array(z.string()) }),
  z.object({ ...terminal, ...observed, state: z.literal('FAILED'), error: recordErrorSchema }),
  z.object({
    ...terminal,
    ...observed,
    state: z.literal('CANCELLED'),
    operation: observed.operation.optional(),
    // A job cancelled before its message came has a record without a request.
    contentHash: common.contentHash.optional(),
    description: common.description.optional(),
    destination: common.destination.optional(),
    error: recordErrorSchema,
  }),
  z.object({ ...terminal, state: z.literal('REJECTED'), error: recordErrorSchema }),
  z.object({ ...terminal, ...observed, state: z.literal('LOST'), error: recordErrorSchema }),
]);

export type ExportRecord = z.infer<typeof recordSchema>;
export type RecordState = ExportRecord['state'];
export type RecordIn<S extends RecordState> = Extract<ExportRecord, { state: S }>;

export type SubmittingRecord = RecordIn<'SUBMITTING'>;
export type WaitingRecord = RecordIn<'WAITING'>;
/** No operation is known yet, and one may still come. */
export type UnsettledRecord = RecordIn<'SUBMITTING' | 'WAITING'>;
/** EE has it and has not ended it. */
export type ActiveRecord = RecordIn<'PENDING' | 'RUNNING' | 'CANCELLING'>;
export type TerminalRecord = RecordIn<'SUCCEEDED' | 'FAILED' | 'CANCELLED' | 'REJECTED' | 'LOST'>;

export const unsettledStates = ['SUBMITTING', 'WAITING'] as const;
export const activeStates = ['PENDING', 'RUNNING', 'CANCELLING'] as const;
export const terminalStates = ['SUCCEEDED', 'FAILED', 'CANCELLED', 'REJECTED', 'LOST'] as const;
export const recordStates = [...unsettledStates, ...activeStates, ...terminalStates] as const;

const includes = (states: readonly RecordState[], record: ExportRecord): boolean =>
  states.includes(record.state);

export const isUnsettled = (record: ExportRecord): record is UnsettledRecord =>
  includes(unsettledStates, record);
export const isActive = (record: ExportRecord): record is ActiveRecord => includes(activeStates, record);
export const isTerminal = (record: ExportRecord): record is TerminalRecord =>
  includes(terminalStates, record);

import { z } from 'zod';

import { deliverySchema, extentSchema, requestedVideoSchema } from './delivery.ts';
import { findingSchema } from './finding.ts';
import { MAX_ATTEMPT, operationPattern, requestIdPattern } from './ids.ts';

/**
 * `videoExports/{recordId}`: one attempt at one job.
 *
 * Written by: submitExport (claims it, records Earth Engine's response), pollExports (follows it to its end), cancelExports
 * (notes the request), recordDeadLetter (notes a dead letter), and the command line (creates attempts for `retry`). Every
 * write is conditioned on the version that was read. Deleted by Firestore's TTL on `expireAt`, never by the service: a
 * job's identity is remembered exactly that long.
 */

/** Earth Engine's reasons and our own. `code` is an HTTP status, or a google.rpc code if an operation ended with it. */
export const recordErrorSchema = z
  .object({
    code: z.int(),
    /** The name that goes with the code (`PERMISSION_DENIED`), or our own (`SUBMIT_DEADLINE`). */
    status: z.string(),
    message: z.string(),
    /** Whether a retry of the same job is known to be able to end differently. */
    retryable: z.boolean(),
    /** One sentence: what the user should do. */
    advice: z.string().optional(),
  })
  .describe(
    '`code`, `status`, `message`, whether a retry is known to be able to end differently (`retryable`), and what to do (`advice?`)',
  );
export type RecordError = z.infer<typeof recordErrorSchema>;

const historyEntry = z.object({ state: z.string(), at: z.date(), note: z.string().optional() });

/** What the event topic reports: a change of state, or something that an operator wants to know about. */
const eventKinds = ['STATE', 'STALLED', 'EXTRA_OPERATION', 'DELIVERY'] as const;
export type EventKind = (typeof eventKinds)[number];

/** A pending event: the record was written before the event could be published. */
const unpublishedEvent = z.object({
  revision: z.int(),
  state: z.string(),
  kind: z.enum(eventKinds),
  at: z.date(),
});
export type UnpublishedEvent = z.infer<typeof unpublishedEvent>;

/** A duplicate: an operation that carries this record's marker, beside the record's own operation. */
const extraOperation = z.object({
  operation: z.string().regex(operationPattern),
  requestId: z.string(),
  seenAt: z.date(),
  /** Absent if the operation is only reported: it is not of a generation that this record sent. */
  cancelledAt: z.date().optional(),
});

const dueAt = z
  .date()
  .describe(
    'When the poller next processes the record, unless it waits in the queue; absent after the job has ended',
  );
const generation = z.int().min(1).describe('Which of its requestIds is in use');

/** Why the service cancels an operation by itself. */
const cancelReasonSchema = z.object({ status: z.enum(['BUDGET', 'EECU_LIMIT']), message: z.string() });
export type CancelReason = z.infer<typeof cancelReasonSchema>;

const common = {
  requestId: z
    .string()
    .regex(requestIdPattern)
    .describe(
      'The id by which Earth Engine recognizes duplicates: the record id, with `-g2`, `-g3` … after an id is used up',
    ),
  project: z.string().describe('The Earth Engine project that runs the export'),
  jobKey: z.string().optional().describe('From the message'),
  attempt: z.int().min(1).max(MAX_ATTEMPT).describe('From the message, or one more than that of `retryOf`'),
  batchId: z.string().optional().describe('From the message; `{batchId}@{run}` for jobs of a manifest'),
  alsoBatches: z
    .array(z.string())
    .optional()
    .describe('Other batches with the same job, whose messages arrived after the record was created'),
  labels: z.record(z.string(), z.string()).describe('From the message'),
  contentHash: z
    .string()
    .describe(
      'SHA-256 over what the request means; absent if the job was canceled before its message arrived',
    ),
  messageId: z.string().describe('The message that created the record'),
  publishedAt: z
    .date()
    .optional()
    .describe('When that message was published, or its manifest; absent for a retry'),
  description: z
    .string()
    .describe("The operation's description: the text from the request and the requestId"),
  destination: z.string().describe('`gs://bucket/prefix` or `drive:folder/prefix`'),
  requestedVideo: requestedVideoSchema.optional(),
  extent: extentSchema.optional(),
  maxEecuHours: z
    .number()
    .positive()
    .optional()
    .describe('From the message: the job is canceled when it has cost more'),
  shapeHash: z
    .string()
    .optional()
    .describe('The expression graph with its constants abstracted: jobs of one shape have comparable costs'),
  deliverTo: z.string().optional().describe('From the message: where the verified video is copied to'),
  priority: z.int().describe('0–9999; a job with a higher priority starts first'),
  workloadTag: z.string().optional().describe('From the request'),
  findings: z
    .array(findingSchema)
    .optional()
    .describe(
      'What the check of its graph found: `severity`, `code` (see [checks](checks.md)), `path`, `message`, and `suggestion`',
    ),
  revision: z.int().min(1).describe('Incremented by every write; part of the `eventId`'),
  submissions: z.int().min(0).describe('How often the service called Earth Engine to start the export'),
  serviceAccount: z
    .string()
    .optional()
    .describe('The account that submitted it: Earth Engine deduplicates by it; absent with a simulator'),
  retryOf: z.string().optional().describe('The record of the previous attempt'),
  cancelRequestedAt: z.date().optional().describe('When its cancellation was requested'),
  cancelReason: cancelReasonSchema
    .optional()
    .describe('Why the service itself canceled it: `status`, which `error` gets too, and `message`'),
  extraOperations: z
    .array(extraOperation)
    .optional()
    .describe('Other operations that carry its marker; the service cancels those that it sent itself'),
  unpublishedEvents: z.array(unpublishedEvent).optional().describe('Pending events'),
  createdAt: z.date().describe('When the record was created'),
  submittedAt: z.date().optional().describe('When Earth Engine accepted the export'),
  updatedAt: z.date().describe('When the record was last written'),
  history: z.array(historyEntry).min(1).describe('What happened: state, time, and reason; bounded'),
};

/** Two complete searches that find no operation prove that none exists, if enough time lies between them (`proof.ts`). */
const searches = z
  .object({
    /** When the first complete search that found nothing ended. */
    firstEndedAt: z.date(),
    /** When the latest one started. */
    lastStartedAt: z.date(),
    /** When Earth Engine first refused the id as already used, after the first search. */
    refusedAt: z.date().optional(),
  })
  .describe('What the searches for its operation have proven so far');
export type Searches = z.infer<typeof searches>;

/** What the protocol remembers until an operation is known. */
const protocol = {
  generation,
  unanswered: z
    .int()
    .min(0)
    .describe('How many sends of the current id got no response: any of them may have started an operation'),
  sentUntil: z
    .date()
    .optional()
    .describe(
      'When the last send without a response was given up: only a list that starts later counts as a search',
    ),
  searches: searches.optional(),
  waits: z
    .int()
    .min(0)
    .describe('How often in a row it waited for anything but capacity: the backoff doubles each time'),
  outageSince: z
    .date()
    .optional()
    .describe(
      'When the current outage, or lack of a permission, began: `SUBMIT_DEADLINE_HOURS` count from here',
    ),
  unsettledSince: z
    .date()
    .optional()
    .describe(
      'Since when only a proof that no operation exists could continue or end it: after `SUBMIT_DEADLINE_HOURS`, it is `LOST`',
    ),
  /** Why it last had to wait, or why it will be rejected. */
  error: recordErrorSchema.optional(),
  /** Rule 7. */
  rejecting: z
    .boolean()
    .optional()
    .describe('The job is rejected as soon as it is proven that no operation exists'),
};

/** Why a job waits in the project's queue: it is sent when the gate opens. */
export const queueReasons = ['QUEUE', 'RATE', 'QUOTA'] as const;
export type QueueReason = (typeof queueReasons)[number];

/** Why a job waits for its own due time instead. */
export const otherReasons = ['SERVICE', 'PERMISSION', 'ADOPTION'] as const;

/** Waits until no budget holds it. Neither the queue nor a due time: it holds up no other job, and costs polls nothing. */
const budgetReason = 'BUDGET';

export const waitingForSchema = z
  .enum([...queueReasons, ...otherReasons, budgetReason])
  .describe('Why the job waits');
export type WaitingFor = z.infer<typeof waitingForSchema>;

/** What Earth Engine reports about an operation. */
const observed = {
  operation: z.string().regex(operationPattern).describe('`projects/P/operations/ID`; never replaced'),
  progress: z.number().min(0).max(1).optional().describe('0 to 1'),
  stage: z.string().optional().describe('The stage that Earth Engine reports'),
  runAttempt: z.int().optional().describe("Earth Engine's own attempt, 1 to 5"),
  startedAt: z.date().optional().describe('When Earth Engine began to render'),
  eecuSeconds: z
    .number()
    .optional()
    .describe('What it has cost so far, as Earth Engine last reported it; written together with `progress`'),
};

const inSubmission = { ...common, ...protocol, dueAt };

const active = {
  ...common,
  ...observed,
  generation,
  units: z.number().optional().describe('Work units done over all stages: a sign of life, as `progress` is'),
  movedAt: z.date().describe('When `progress` or `units` last changed'),
  stalledSince: z
    .date()
    .optional()
    .describe('The time of the last sign of life; set after `STALLED_HOURS` without one'),
  /** LOST only after a complete list and a second such response (rule 10). */
  missingSince: z
    .date()
    .optional()
    .describe('When Earth Engine first reported that it does not know the operation'),
  dueAt,
};

const terminal = {
  ...common,
  finishedAt: z.date().describe('When it ended'),
  expireAt: z.date().describe('When Firestore deletes the record'),
};

/** Earth Engine had an operation for it. */
const ended = {
  ...terminal,
  ...observed,
  eecuIsLowerBound: z
    .boolean()
    .optional()
    .describe(
      'It ended without a final cost, as failed operations do: `eecuSeconds` is the last value seen while it ran',
    ),
};

const state = <S extends string>(name: S) => z.literal(name).describe('The state of the job');

export const recordSchema = z.discriminatedUnion('state', [
  z.object({
    ...inSubmission,
    state: state('SUBMITTING'),
    claim: z
      .object({ token: z.string(), leaseUntil: z.date() })
      .describe('The sender that holds it, and until when'),
  }),
  z.object({
    ...inSubmission,
    state: state('WAITING'),
    waitingFor: waitingForSchema,
    heldBy: z.string().optional().describe('The budget that holds it, while it waits for `BUDGET`'),
  }),
  z.object({ ...active, state: state('PENDING') }),
  z.object({ ...active, state: state('RUNNING') }),
  z.object({ ...active, state: state('CANCELLING') }),
  z.object({
    ...ended,
    state: state('SUCCEEDED'),
    outputUris: z.array(z.string()).describe('Where the video is, as Earth Engine reports it'),
    // Absent on records that an earlier version wrote.
    delivery: deliverySchema.optional(),
    deliveredTo: z
      .string()
      .optional()
      .describe('`gs://bucket/name` of the copy of the video that `deliverTo` requested'),
    dueAt: dueAt.optional(),
  }),
  z.object({ ...ended, state: state('FAILED'), error: recordErrorSchema }),
  z.object({
    ...ended,
    state: state('CANCELLED'),
    operation: observed.operation.optional(),
    // A job that was canceled before its message arrived has a record without a request.
    contentHash: common.contentHash.optional(),
    description: common.description.optional(),
    destination: common.destination.optional(),
    error: recordErrorSchema,
  }),
  z.object({ ...terminal, state: state('REJECTED'), error: recordErrorSchema }),
  z.object({
    ...ended,
    state: state('LOST'),
    // Absent if no search could show whether there is one.
    operation: observed.operation.optional(),
    error: recordErrorSchema,
  }),
]);

export type ExportRecord = z.infer<typeof recordSchema>;
export type RecordState = ExportRecord['state'];
export type RecordIn<S extends RecordState> = Extract<ExportRecord, { state: S }>;

export type SubmittingRecord = RecordIn<'SUBMITTING'>;
export type WaitingRecord = RecordIn<'WAITING'>;
/** No operation is known; one may exist, and one may still start. */
export type RecordInSubmission = RecordIn<(typeof submissionStates)[number]>;
/** Earth Engine has the operation and has not ended it. */
export type ActiveRecord = RecordIn<(typeof activeStates)[number]>;
export type TerminalRecord = RecordIn<(typeof terminalStates)[number]>;

export const submissionStates = ['SUBMITTING', 'WAITING'] as const;
export const activeStates = ['PENDING', 'RUNNING', 'CANCELLING'] as const;
export const terminalStates = ['SUCCEEDED', 'FAILED', 'CANCELLED', 'REJECTED', 'LOST'] as const;
export const recordStates = [...submissionStates, ...activeStates, ...terminalStates] as const;

/** A new state does not compile here until it is in one of the three lists. */
const includes = (
  states: readonly RecordState[],
  { state: current }: { readonly state: (typeof recordStates)[number] },
): boolean => states.includes(current);

export const isInSubmission = (record: ExportRecord): record is RecordInSubmission =>
  includes(submissionStates, record);
export const isActive = (record: ExportRecord): record is ActiveRecord => includes(activeStates, record);
export const isTerminal = (record: ExportRecord): record is TerminalRecord =>
  includes(terminalStates, record);

/** The names of a group of fields, for code that copies the group: it copies a new field too. */
const namesOf = <Group extends object>(group: Group) => Object.keys(group) as (keyof Group)[];
export const commonFields = namesOf(common);
export const protocolFields = namesOf(protocol);
export const observedFields = namesOf(observed);
export type CommonField = keyof typeof common;
export type ProtocolField = keyof typeof protocol;
export type ObservedField = keyof typeof observed;

export const isQueueReason = (reason: WaitingFor): reason is QueueReason =>
  (queueReasons as readonly WaitingFor[]).includes(reason);

import type { Batch } from '../../shared/batch/batch.ts';
import type { RejectedMessage } from '../../shared/message/rejected-message.ts';
import type { ExportRecord } from '../../shared/record/record.ts';

/** What the fields of stored documents mean to who reads them. A field that is new does not compile without a line here. */

type FieldsOf<T> = T extends unknown ? keyof T : never;
type Meanings<T> = Readonly<Record<FieldsOf<T>, string>>;

export const recordMeanings: Meanings<ExportRecord> = {
  state: 'Where it stands',
  requestId: 'What Earth Engine deduplicates by: the record id, with `-g2` … after an id that was burnt',
  project: 'The Earth Engine project that runs it',
  jobKey: "The message's",
  attempt: "The message's, or one more than that of `retryOf`",
  batchId: "The message's; `{batchId}@{run}` for jobs of a manifest",
  labels: "The message's",
  contentHash: 'SHA-256 over what the request means; absent where it was cancelled before its message came',
  messageId: 'The message that made it',
  description: "As Earth Engine has it: the caller's text and the requestId",
  destination: '`gs://bucket/prefix` or `drive:folder/prefix`',
  priority: '0–9999; higher is served first',
  workloadTag: "The request's",
  revision: "Raised by every write: the event's number",
  submissions: 'How often Earth Engine was asked to start it',
  serviceAccount: 'Who submitted it; absent against a simulator',
  retryOf: 'The record that it is another attempt at',
  cancelRequestedAt: 'When somebody asked to cancel it',
  extraOperations:
    'Other operations that carry its marker, as they were seen, and cancelled where they were its own',
  unpublishedEvents: 'Events that are still owed',
  createdAt: 'When the job was taken on',
  submittedAt: 'When Earth Engine accepted it',
  startedAt: 'When Earth Engine began to render',
  finishedAt: 'When it ended',
  updatedAt: 'When the record was last written',
  dueAt: 'When the poller looks at it next; absent once it has ended',
  expireAt: 'When the record is deleted',
  history: 'What happened: state, when, and why, bounded',
  claim: 'Who is sending it, until when',
  generation: 'Which of its requestIds is in use',
  unanswered: 'How many sends of that id got no answer: any of them may have started an operation',
  searches: 'What searches for its operation have proven so far',
  waits: 'How often in a row it waited because of an outage, a permission or an adoption',
  outageSince: 'Since when: `SUBMIT_DEADLINE_HOURS` count from it',
  rejecting: 'It is rejected as soon as it is proven that no operation exists',
  waitingFor: 'Why it waits',
  operation: '`projects/P/operations/ID`; written once',
  progress: 'How far it is, 0 to 1',
  stage: 'What Earth Engine is doing',
  runAttempt: "Earth Engine's own attempt, 1 to 5",
  eecuSeconds: 'What it cost, where Earth Engine says so',
  units: 'Work units done: with `progress`, the sign of life that counts',
  movedAt: 'When progress or units last moved',
  stalledSince: 'Since when it has shown no sign of life for `STALLED_HOURS`',
  missingSince: 'Since when Earth Engine says that it does not know the operation',
  outputUris: 'Where the video is, in the words of Earth Engine',
  error: '`code`, `status`, `message`, and whether another attempt could end otherwise (`retryable`)',
};

export const batchMeanings: Meanings<Batch> = {
  state: 'Being published, on its way, ended',
  batchId: "The manifest's",
  run: "The manifest's, or the day, hour or minute of its message; empty for jobs that no manifest made",
  manifestHash: 'SHA-256 over the manifest; empty where none came',
  messageId: 'The message that made it',
  jobs: 'How many jobs it has',
  published: 'How many of them are published',
  existing: 'How many were there already, made by another batch or by hand',
  claim: 'Who adds to it, until when',
  cancelRequestedAt: 'When somebody asked to cancel it',
  cancelledThrough: 'Its records that were created before this are cancelled, as far as they could be',
  counts: 'How many records it has by state, once it is finished',
  rejectedMessages: 'How many of its jobs never became a record',
  eecuSeconds: 'What all attempts cost',
  owesEvent: 'The event that says it is finished is still owed',
  revision: 'Raised by every write',
  createdAt: 'When its manifest came',
  expandedAt: 'When all of it was published',
  finishedAt: 'When its last record ended',
  updatedAt: 'When it was last written',
  expireAt: 'When it is deleted',
};

export const rejectedMeanings: Meanings<RejectedMessage> = {
  reason:
    '`INVALID_DATA`, `INVALID_JOB`, `CONFLICT`, `INVALID_MANIFEST`, `INVALID_CANCELLATION` or `DEAD_LETTER`',
  issues: 'Everything that is wrong: where (`path`), what was found and what is allowed (`message`)',
  source: 'The function that refused it',
  publishTime: 'When it was published',
  attributes: 'Its attributes',
  data: 'Its first 8 KB',
  deliveryAttempt: 'How often it was delivered, where known',
  recordId: 'The record that it was for, where it could be told',
  batchId: "The job's",
  replayedAt: 'When it was published again',
  createdAt: 'When it was refused',
  expireAt: 'When it is deleted',
};

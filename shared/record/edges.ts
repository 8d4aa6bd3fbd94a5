import { activeStates, type RecordState, submissionStates } from '../model/record.ts';

/** The state machine as data: from, the transition (a function in this folder), to. `NEW` is a job without a record. */
export type Edge = readonly [from: RecordState | 'NEW', transition: string, to: RecordState];

/** What Earth Engine can report about an operation. */
const operationStates = ['PENDING', 'RUNNING', 'CANCELLING', 'SUCCEEDED', 'FAILED', 'CANCELLED'] as const;

const between = (
  froms: readonly RecordState[],
  transition: string,
  tos: readonly RecordState[],
): readonly Edge[] => froms.flatMap((from) => tos.map((to) => [from, transition, to] as const));

export const edges: readonly Edge[] = [
  ['NEW', 'claim', 'SUBMITTING'],
  ['NEW', 'enqueue', 'WAITING'],
  ['NEW', 'enqueueInOutage', 'WAITING'],
  ['NEW', 'enqueueHeld', 'WAITING'],
  ['NEW', 'cancelUnseen', 'CANCELLED'],
  ['NEW', 'cancelOnArrival', 'CANCELLED'],
  ...between(submissionStates, 'claimAgain', ['SUBMITTING']),
  ['SUBMITTING', 'nextGeneration', 'SUBMITTING'],
  ['SUBMITTING', 'wait', 'WAITING'],
  ['SUBMITTING', 'reject', 'REJECTED'],
  ['SUBMITTING', 'loseTrack', 'LOST'],
  ...between(submissionStates, 'cancelUnsent', ['CANCELLED']),
  ...between(submissionStates, 'recordOperation', operationStates),
  ...between(activeStates, 'observe', operationStates),
  ...between(activeStates, 'lose', ['LOST']),
];

/** Transitions that note something and leave the state unchanged. */
export const notes = [
  'requestCancellation',
  'noteExtraOperation',
  'noteMissing',
  'markDue',
  'defer',
  'releaseHeld',
] as const;

import { activeStates, type RecordState, unsettledStates } from '../model/record.ts';

/**
 * The state machine of a record as data, for its test and its diagram: from, the transition that does it (a function of
 * `transitions.ts` or `observe.ts`), to. `NEW` is a job without a record.
 */
export type Edge = readonly [from: RecordState | 'NEW', transition: string, to: RecordState];

/** What EE can say of an operation. */
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
  ['NEW', 'cancelUnseen', 'CANCELLED'],
  ...between(unsettledStates, 'claimAgain', ['SUBMITTING']),
  ['SUBMITTING', 'nextGeneration', 'SUBMITTING'],
  ['SUBMITTING', 'wait', 'WAITING'],
  ['SUBMITTING', 'reject', 'REJECTED'],
  ...between(unsettledStates, 'cancelUnsent', ['CANCELLED']),
  ...between(unsettledStates, 'recordOperation', operationStates),
  ...between(activeStates, 'observe', operationStates),
  ...between(activeStates, 'lose', ['LOST']),
];

/** Transitions that note something and leave the state as it is. */
export const notes = [
  'requestCancellation',
  'noteExtraOperation',
  'noteMissing',
  'markDue',
  'defer',
] as const;

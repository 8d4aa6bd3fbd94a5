/**
 * What the service assumes about Earth Engine, which documents little of what matters here. docs/earth-engine.md is made from
 * this list, and `doctor --probe` checks what one canceled export can show.
 */

export interface Belief {
  readonly belief: string;
  /** How it is known. */
  readonly evidence: 'documented' | 'clients' | 'field' | 'inferred';
  /** What breaks if it is wrong. */
  readonly ifWrong: string;
  /** The setting or mechanism that adapts to it. */
  readonly adapts: string;
}

const probed = {
  marker: {
    belief:
      "Responses and lists show an operation's description as it was sent, with the request ID at its end.",
    evidence: 'clients',
    ifWrong: 'A lost response cannot be repaired: searches are inconclusive, and such jobs end as `LOST`.',
    adapts:
      'The project status notes a missing marker, and no ID is given up meanwhile. `SUBMIT_DEADLINE_HOURS` ends the wait.',
  },
  'request-id': {
    belief:
      'The same request with the same ID returns the first operation. Other content with that ID is refused with "A different Operation was already started".',
    evidence: 'clients',
    ifWrong: 'A retry could start a second operation.',
    adapts: 'Duplicates are detected in the list, reported as extra operations, and canceled (rule 9).',
  },
  list: {
    belief: 'The list shows a new operation soon after it was started.',
    evidence: 'inferred',
    ifWrong: 'A search could miss an operation, and the job would be started again.',
    adapts: '`T`: the longer of `RETRY_MAX_SECONDS` and the lease with its timeouts, 15 minutes by default.',
  },
  'list-order': {
    belief: 'The list shows the newest operations first.',
    evidence: 'field',
    ifWrong: 'Sweeps read more pages. Nothing else changes.',
    adapts: 'A sweep stops only when it has seen every operation that it looks for.',
  },
  fields: {
    belief: 'An operation has a state, a type, and the times of its creation and last change.',
    evidence: 'documented',
    ifWrong: 'States are recorded later. A video operation without a type is not recognized.',
    adapts: 'Each field can be missing: the known value stays, and the ending decides.',
  },
  'start-time': {
    belief: 'An operation that has not started has no start time.',
    evidence: 'documented',
    ifWrong: 'A pending job could look as if it were running.',
    adapts: 'A start time in 1970 is ignored.',
  },
  states: {
    belief: 'The states are those of the reference.',
    evidence: 'documented',
    ifWrong: 'A new state is not recorded.',
    adapts: 'An unknown state is ignored until the operation has ended.',
  },
  'not-found': {
    belief: 'An operation that does not exist is answered with 404.',
    evidence: 'clients',
    ifWrong: 'A deleted operation is asked for again and again, and its record never becomes `LOST`.',
    adapts: 'Rule 10: only a second 404 and a complete list decide.',
  },
  cancel: {
    belief: 'A canceled operation ends as `CANCELLED`. It can still succeed if it was almost done.',
    evidence: 'documented',
    ifWrong: 'Canceled jobs cost EECU until they end.',
    adapts: 'The record follows the operation, however it ends.',
  },
  ending: {
    belief: 'An operation that is done has either a response or an error.',
    evidence: 'documented',
    ifWrong: 'The outcome is read from its state, or from the output that it names.',
    adapts: 'If neither helps, the record is `FAILED`, and its message says so.',
  },
  restricted: {
    belief: 'A header of each response says whether the project is in restricted mode.',
    evidence: 'clients',
    ifWrong: '`stats`, `watch`, and `doctor` do not show why exports are slow.',
    adapts: 'A restriction ends with its month, even if no response says so.',
  },
} as const satisfies Readonly<Record<string, Belief>>;

/** One export that is canceled at once cannot show these. */
const unprobed = {
  'id-retention': {
    belief: 'A request ID is remembered for longer than any retry takes: 72 hours by default.',
    evidence: 'inferred',
    ifWrong: 'A late retry starts a second operation.',
    adapts: 'A search comes before any further send (rule 4). Duplicates are detected (rule 9).',
  },
  'id-scope': {
    belief: 'Request IDs are recognized per caller, across projects.',
    evidence: 'documented',
    ifWrong: 'Nothing breaks if they are recognized across callers.',
    adapts: 'Rule 11: what another account sent counts as unanswered.',
  },
  'operation-retention': {
    belief: 'Operations stay listed for days after they ended.',
    evidence: 'field',
    ifWrong: 'A job whose end was not seen becomes `LOST`.',
    adapts: 'The poller copies each end within minutes.',
  },
  'queue-text': {
    belief: 'A full queue is refused with "Too many tasks already in the queue", with any HTTP status.',
    evidence: 'field',
    ifWrong: 'Jobs are rejected instead of waiting.',
    adapts: '`MAX_ACTIVE_OPERATIONS` keeps the service from filling the queue.',
  },
  'queue-owner': {
    belief:
      'The queue and its 3,000 places belong to a project. Field reports say: to a user across projects.',
    evidence: 'documented',
    ifWrong: 'The queue is full earlier than expected.',
    adapts: 'The gate closes for each project that is refused. Lower `MAX_ACTIVE_OPERATIONS`.',
  },
  'quota-text': {
    belief:
      'A used-up custom quota is refused with "Your usage exceeded the custom quota", with any HTTP status.',
    evidence: 'documented',
    ifWrong: 'Jobs are rejected instead of waiting.',
    adapts: 'None.',
  },
  'quota-reset': {
    belief: 'Custom quotas reset at midnight in Pacific time.',
    evidence: 'documented',
    ifWrong: 'Jobs wait until the next midnight.',
    adapts: 'In the hour after midnight, jobs are tried again with a backoff.',
  },
  bands: {
    belief: 'Frames need three 8-bit bands; Earth Engine accepts others, and fails the operation later.',
    evidence: 'documented',
    ifWrong: 'Nothing breaks.',
    adapts: 'README and the guides show how to make such frames.',
  },
  failures: {
    belief:
      'A failure with code 3 ends the same way when it is retried; a few texts are known to be temporary.',
    evidence: 'field',
    ifWrong: '`retry` skips jobs that could succeed, or repeats jobs that cannot.',
    adapts: '`retry --force`. The reference lists the texts.',
  },
  attempts: {
    belief: 'Earth Engine retries a task itself, up to five times.',
    evidence: 'documented',
    ifWrong: 'A temporary failure ends a job earlier.',
    adapts: '`runAttempt` of the record, and `retry`.',
  },
  eecu: {
    belief: 'The cost is reported while an operation runs, and not after it has failed.',
    evidence: 'documented',
    ifWrong: '`eecuSeconds` stays empty until the end.',
    adapts: '`eecuIsLowerBound` marks the last value seen.',
  },
  lifetime: {
    belief: 'An operation ends after 10 days at the latest.',
    evidence: 'documented',
    ifWrong: 'A stalled operation occupies its place until it is canceled.',
    adapts: '`STALLED_HOURS` reports it much earlier.',
  },
  rate: {
    belief: 'A project can make 100 requests a second.',
    evidence: 'documented',
    ifWrong: 'Jobs wait for `RATE`.',
    adapts: 'Calls are sent more slowly, and the gate closes if 429s persist.',
  },
  drive: {
    belief: 'Drive needs the Drive scope, and a service account has no Drive storage of its own.',
    evidence: 'documented',
    ifWrong: 'Nothing breaks.',
    adapts: '`ALLOWED_DESTINATIONS` allows no Drive by default.',
  },
} as const satisfies Readonly<Record<string, Belief>>;

export type ProbedBelief = keyof typeof probed;
export type UnprobedBelief = keyof typeof unprobed;

export const probedBeliefs: Readonly<Record<ProbedBelief, Belief>> = probed;
export const unprobedBeliefs: Readonly<Record<UnprobedBelief, Belief>> = unprobed;

/** The kinds of calls that the simulator responds to and counts. */
export type CallKind = 'export' | 'list' | 'get' | 'cancel' | 'config' | 'algorithms' | 'unknown';

/** A fault of one request. */
export type Fault =
  /** Refused before any work. */
  | {
      readonly kind: 'status';
      readonly status: number;
      readonly message?: string;
      readonly retryAfter?: string;
    }
  /** A proxy's 502 page, in HTML, before any work. */
  | { readonly kind: 'html' }
  /** The connection is lost before any work. */
  | { readonly kind: 'reset' }
  /** The work is done, and the response is lost. */
  | { readonly kind: 'lost' }
  /** No response until the caller gives up, whether the work is done or not. */
  | { readonly kind: 'silence'; readonly worked?: boolean }
  /** The work begins at once, and takes `ms` until the response. */
  | { readonly kind: 'slow'; readonly ms: number }
  /** The work is done, and the response is 200 with this text instead. */
  | { readonly kind: 'garbled'; readonly body: string }
  /** The connection is refused. In process only: over HTTP it becomes `reset`, because the server is listening. */
  | { readonly kind: 'unreachable' };

/** The probability of each fault that occurs at random, from 0 to 1. */
export interface FaultRates {
  readonly tooManyRequests?: number;
  readonly internal?: number;
  readonly html?: number;
  readonly reset?: number;
  readonly lost?: number;
  readonly silence?: number;
  readonly slow?: number;
}

/** The probability that an operation's JSON has each of these oddities, from 0 to 1. */
export interface QuirkRates {
  /** The first response has no state; later ones lack type, stages, update time, and destination URIs. */
  readonly missingFields?: number;
  /** It ends as `done`, with neither `error` nor `response`. */
  readonly doneWithNeither?: number;
  /** While it runs, its state is an unknown word. */
  readonly unknownState?: number;
  /** Its startTime is in 1970 until it starts. */
  readonly epochStart?: number;
}

/** Why a project's calls are refused with 403. */
export type Denial = 'NOT_REGISTERED' | 'NO_PERMISSION' | 'NO_SERVICE_USAGE';

/** How the simulated Earth Engine behaves. Plain data, so that it can be changed over HTTP too. */
export interface SimulatorSettings {
  /** PENDING operations per queue, including those of other users. */
  queueLimit: number;
  /** Whether a queue and its slots belong to a project, as documented, or to a caller across projects, as field reports say. */
  queueOwner: 'PROJECT' | 'USER';
  queueFullStatus: 400 | 429;
  /** Operations that a project may create per day in Pacific time, in place of a custom EECU quota; null: no quota. */
  dailyQuota: number | null;
  /** The same, per month in Pacific time. */
  monthlyQuota: number | null;
  /** How long after midnight a quota is reset. */
  quotaResetLagMs: number;
  /** Not documented. */
  quotaStatusCode: 400 | 403 | 429;
  /** Operations that run at once, per queue. */
  concurrency: number;
  /** Operations that start per second, per queue. Not documented: it keeps the order of starts visible. */
  startsPerSecond: number;
  /** The shortest time from the creation of an operation to its start. */
  pendingMs: number;
  /** How long an operation runs: the shortest and the longest time. */
  runMs: readonly [number, number];
  /** How long an operation is CANCELLING. */
  cancelMs: number;
  listOrder: 'newest' | 'oldest' | 'random';
  /** How long after its creation an operation appears in the list. */
  listLagMs: number;
  /** How long a requestId is remembered; null: forever. */
  forgetIdsAfterMs: number | null;
  /** A requestId is used up if its request was refused because the queue was full. */
  useUpIdWhenFull: boolean;
  /** A repeated request that arrives while the first is being processed is refused as a different operation. */
  refuseWhileWorking: boolean;
  differentOperationStatus: 400 | 409;
  /** Another request with a known requestId returns the first operation instead of being refused. */
  ignoreOtherContent: boolean;
  /** How a request for an operation that does not exist is refused. */
  missingOperationStatus: 403 | 404;
  /** Operations do not echo their description. */
  omitDescription: boolean;
  denied: Readonly<Record<string, Denial>>;
  /** Access token → email of its owner; any other token is refused with 401. Null: tokens are not checked. */
  tokens: Readonly<Record<string, string>> | null;
  /** Access token → its scopes, which a Drive destination needs. Null: scopes are not checked. */
  tokenScopes: Readonly<Record<string, readonly string[]>> | null;
  /** Buckets whose OWNER the callers are, which `permissions: PUBLIC` needs. Null: any bucket. */
  ownedBuckets: readonly string[] | null;
  /** Operations that fail. The patterns are regular expressions on `{description} {destination}`; the first match counts. */
  failing: readonly { readonly pattern: string; readonly code: number; readonly message: string }[];
  /** Operations that Earth Engine itself runs again: how many attempts they take. It gives up after the fifth. */
  attempts: readonly { readonly pattern: string; readonly attempts: number }[];
  /** Patterns of operations that stop at 73.7% and never end. */
  stalling: readonly string[];
  /** Patterns of operations that succeed although they are canceled. */
  uncancellable: readonly string[];
  /** The value of X-Earth-Engine-Quota-Status in every response. */
  quotaStatus: string | null;
  faultRates: FaultRates;
  /** The calls that `faultRates` applies to. */
  faultyCalls: readonly CallKind[];
  /** Calls that a project may make within any second; the others get a 429. Null: no limit. */
  requestsPerSecond: number | null;
  /** How long a `slow` response of `faultRates` takes. */
  slowMs: number;
  quirkRates: QuirkRates;
}

export const defaultSettings: SimulatorSettings = {
  queueLimit: 3000,
  queueOwner: 'PROJECT',
  queueFullStatus: 400,
  dailyQuota: null,
  monthlyQuota: null,
  quotaResetLagMs: 0,
  quotaStatusCode: 429,
  concurrency: 2,
  startsPerSecond: 1,
  pendingMs: 1000,
  runMs: [3000, 8000],
  cancelMs: 500,
  listOrder: 'newest',
  listLagMs: 0,
  forgetIdsAfterMs: null,
  useUpIdWhenFull: false,
  refuseWhileWorking: false,
  differentOperationStatus: 400,
  ignoreOtherContent: false,
  missingOperationStatus: 404,
  omitDescription: false,
  denied: {},
  tokens: null,
  tokenScopes: null,
  ownedBuckets: null,
  failing: [],
  attempts: [],
  stalling: [],
  uncancellable: [],
  quotaStatus: null,
  faultRates: {},
  faultyCalls: ['export', 'list', 'get', 'cancel'],
  requestsPerSecond: null,
  slowMs: 2000,
  quirkRates: {},
};

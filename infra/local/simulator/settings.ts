/** The calls that Earth Engine answers and the simulator counts. */
export type CallKind = 'export' | 'list' | 'get' | 'cancel' | 'config' | 'algorithms' | 'unknown';

/** What goes wrong with one request. */
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
  /** The work is done and the answer lost. */
  | { readonly kind: 'lost' }
  /** No answer until the caller gives up, the work done or not. */
  | { readonly kind: 'silence'; readonly worked?: boolean }
  /** The work begins at once and takes `ms`, and the answer with it. */
  | { readonly kind: 'slow'; readonly ms: number }
  /** The work is done; the answer is 200 with this text instead. */
  | { readonly kind: 'garbled'; readonly body: string }
  /** Nobody listens. In process only: over HTTP somebody does, so there it is `reset`. */
  | { readonly kind: 'unreachable' };

/** Faults that can be sprinkled, each with a chance between 0 and 1. */
export interface FaultRates {
  readonly tooManyRequests?: number;
  readonly internal?: number;
  readonly html?: number;
  readonly reset?: number;
  readonly lost?: number;
  readonly silence?: number;
  readonly slow?: number;
}

/** Oddities of an operation's JSON, each with the chance that an operation has it. */
export interface QuirkRates {
  /** The first answer has no state; later ones lack type, stages, times of update and destination URIs. */
  readonly missingFields?: number;
  /** It ends `done` with neither `error` nor `response`. */
  readonly doneWithNeither?: number;
  /** While it runs its state is a word that nobody knows. */
  readonly unknownState?: number;
  /** Its startTime is 1970 until it starts. */
  readonly epochStart?: number;
}

/** Why a project's calls are refused with 403. */
export type Denial = 'NOT_REGISTERED' | 'NO_PERMISSION' | 'NO_SERVICE_USAGE';

/** How the simulated EE behaves; plain data, so that it can be changed over HTTP too. */
export interface SimulatorSettings {
  /** PENDING operations per project, other people's included. */
  queueLimit: number;
  queueFullStatus: 400 | 429;
  /** Operations that run at once, per project. */
  concurrency: number;
  /** Operations that start per second, per project. */
  startsPerSecond: number;
  /** Nothing starts sooner after its creation. */
  pendingMs: number;
  /** How long an operation runs, from … to. */
  runMs: readonly [number, number];
  /** How long it is CANCELLING. */
  cancelMs: number;
  listOrder: 'newest' | 'oldest' | 'random';
  /** An operation is listed only so long after its creation. */
  listLagMs: number;
  /** A requestId is remembered so long; null: for ever. */
  forgetIdsAfterMs: number | null;
  /** A requestId whose request found the queue full can never be used again. */
  useUpIdWhenFull: boolean;
  /** A replay that arrives while the first is being worked on is refused as a different operation. */
  refuseWhileWorking: boolean;
  differentOperationStatus: 400 | 409;
  /** Operations do not echo their description. */
  omitDescription: boolean;
  denied: Readonly<Record<string, Denial>>;
  /** Access token → email of its owner; any other token is answered 401. Null: tokens are not looked at. */
  tokens: Readonly<Record<string, string>> | null;
  /** Regular expressions on `{description} {destination}`; the first that matches decides how the operation ends. */
  failing: readonly { readonly pattern: string; readonly code: number; readonly message: string }[];
  /** … and that it stops moving at 73.7 % and never ends. */
  stalling: readonly string[];
  /** … and that it succeeds although it is cancelled. */
  uncancellable: readonly string[];
  /** Value of X-Earth-Engine-Quota-Status on every answer. */
  quotaStatus: string | null;
  faultRates: FaultRates;
  /** The calls that `faultRates` applies to. */
  faultyCalls: readonly CallKind[];
  /** How long a `slow` answer of `faultRates` takes. */
  slowMs: number;
  quirkRates: QuirkRates;
}

export const defaultSettings: SimulatorSettings = {
  queueLimit: 3000,
  queueFullStatus: 400,
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
  omitDescription: false,
  denied: {},
  tokens: null,
  failing: [],
  stalling: [],
  uncancellable: [],
  quotaStatus: null,
  faultRates: {},
  faultyCalls: ['export', 'list', 'get', 'cancel'],
  slowMs: 2000,
  quirkRates: {},
};

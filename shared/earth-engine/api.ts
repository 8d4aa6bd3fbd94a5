import { ServiceError } from '../errors.ts';

/** EE's operation states (OperationMetadata.state); anything else EE may send is `UNKNOWN`. */
export const operationStates = [
  'PENDING',
  'RUNNING',
  'CANCELLING',
  'SUCCEEDED',
  'CANCELLED',
  'FAILED',
] as const;
export type OperationState = (typeof operationStates)[number] | 'UNKNOWN';

/** A long-running operation, in our words. Every field but `name` and `done` may be missing in what EE sends. */
export interface Operation {
  /** `projects/P/operations/ID` */
  readonly name: string;
  readonly done: boolean;
  readonly state: OperationState | undefined;
  /** `EXPORT_VIDEO` for ours. */
  readonly type: string | undefined;
  readonly description: string | undefined;
  /** 0–1 */
  readonly progress: number | undefined;
  /** Display name of the stage under way: the first with work left. */
  readonly stage: string | undefined;
  /** Σ completeWorkUnits over the stages. */
  readonly units: number | undefined;
  /** Starts at 1; EE itself runs a task up to five times. */
  readonly runAttempt: number | undefined;
  readonly destinationUris: readonly string[];
  readonly eecuSeconds: number | undefined;
  /** EE has sent 1970 for tasks that have not started: then absent here. */
  readonly startTime: Date | undefined;
  readonly endTime: Date | undefined;
  readonly error: { readonly code: number; readonly message: string } | undefined;
  readonly hasResponse: boolean;
}

export interface OperationPage {
  readonly operations: readonly Operation[];
  readonly nextPageToken: string | undefined;
}

/** What the caller does next: the only distinction that matters to it. */
export type EarthEngineErrorKind =
  /** EE's queue is full: close the gate, wait without limit. */
  | 'QUEUE_FULL'
  /** 429: close the gate. */
  | 'RATE_LIMITED'
  /** 408, 5xx, a lost connection, a time-out, an answer that cannot be read: it may have happened. */
  | 'UNANSWERED'
  /** It certainly did not reach EE: no token, no address, connection refused. */
  | 'NOT_SENT'
  /** 401, 403: an operator must act. */
  | 'PERMISSION'
  /** The requestId was used before: look for its operation. */
  | 'ALREADY_STARTED'
  /** A JSON 404 for an operation. (A 404 for `video:export` is REFUSED.) */
  | 'NOT_FOUND'
  /** Any other 4xx: the request is wrong and stays so. */
  | 'REFUSED';

/** EE's refusal, or its silence. The message says method, path and what EE said; never headers or bodies of ours. */
export class EarthEngineError extends ServiceError {
  override readonly name = 'EarthEngineError';
  readonly kind: EarthEngineErrorKind;
  /** HTTP status; 504 for a time-out and 503 for a lost connection, which have none. */
  readonly httpStatus: number;
  /** google.rpc status name, such as `PERMISSION_DENIED`. */
  readonly status: string;
  /** What EE said, without our own words around it. */
  readonly reply: string;
  readonly retryAfterMs: number | undefined;

  constructor(
    kind: EarthEngineErrorKind,
    detail: {
      message: string;
      httpStatus: number;
      status: string;
      reply: string;
      retryAfterMs?: number | undefined;
    },
    options?: ErrorOptions,
  ) {
    super(`EARTH_ENGINE_${kind}`, detail.message, options);
    this.kind = kind;
    this.httpStatus = detail.httpStatus;
    this.status = detail.status;
    this.reply = detail.reply;
    this.retryAfterMs = detail.retryAfterMs;
  }
}

export interface CallOptions {
  /** The call is given up after this. */
  readonly timeoutMs: number;
  /** Aborts it earlier. */
  readonly signal?: AbortSignal | undefined;
}

export interface OperationCallOptions extends CallOptions {
  /** The project that the call counts for; without it the one in the operation's name, which EE may give as a number. */
  readonly project?: string | undefined;
}

/**
 * The five things that we ask of EE, each one HTTP request: no call here retries, since what a lost answer means is for
 * the caller to decide. All reject with EarthEngineError.
 */
export interface EarthEngine {
  /** `POST /v1/projects/{project}/video:export` with exactly these bytes. */
  startExport(project: string, request: Uint8Array, options: CallOptions): Promise<Operation>;
  getOperation(operation: string, options: OperationCallOptions): Promise<Operation>;
  /** One page of at most 500, of all users' operations, in no documented order. */
  listOperations(
    project: string,
    pageToken: string | undefined,
    options: CallOptions,
  ): Promise<OperationPage>;
  /** Asks EE to cancel; it may still succeed. */
  cancelOperation(operation: string, options: OperationCallOptions): Promise<void>;
  /** The service account that calls are made as; absent where no credentials are used. */
  serviceAccount(): Promise<string | undefined>;
}

/** Told of every answer, for what comes in headers rather than in bodies. */
export interface EarthEngineObserver {
  /** `X-Earth-Engine-Quota-Status` of an answer said whether parallelism is restricted. */
  quotaStatus(project: string, restricted: boolean): void;
}

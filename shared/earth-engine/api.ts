import { ServiceError } from '../errors.ts';

/** Earth Engine's operation states (OperationMetadata.state); any other value is read as `UNKNOWN`. */
export const operationStates = [
  'PENDING',
  'RUNNING',
  'CANCELLING',
  'SUCCEEDED',
  'CANCELLED',
  'FAILED',
] as const;
export type OperationState = (typeof operationStates)[number] | 'UNKNOWN';

/** A long-running operation. Earth Engine can omit every field except `name` and `done`. */
export interface Operation {
  /** `projects/P/operations/ID` */
  readonly name: string;
  readonly done: boolean;
  readonly state: OperationState | undefined;
  /** `EXPORT_VIDEO` for the operations of this service. */
  readonly type: string | undefined;
  readonly description: string | undefined;
  /** 0–1 */
  readonly progress: number | undefined;
  /** Display name of the current stage: the first with work left. */
  readonly stage: string | undefined;
  /** Σ completeWorkUnits over the stages. */
  readonly units: number | undefined;
  /** Starts at 1; Earth Engine runs a task up to five times. */
  readonly runAttempt: number | undefined;
  readonly destinationUris: readonly string[];
  readonly eecuSeconds: number | undefined;
  readonly createTime: Date | undefined;
  /** Absent if Earth Engine sends 1970, as it has done for tasks that have not started. */
  readonly startTime: Date | undefined;
  readonly endTime: Date | undefined;
  readonly error: { readonly code: number; readonly message: string } | undefined;
  readonly hasResponse: boolean;
}

export interface OperationPage {
  readonly operations: readonly Operation[];
  readonly nextPageToken: string | undefined;
}

/** Kinds of errors by what the caller does next. */
export type EarthEngineErrorKind =
  /** Earth Engine's queue is full: close the gate, wait without limit. */
  | 'QUEUE_FULL'
  /** A custom EECU quota is used up: close the gate until it resets. */
  | 'QUOTA_EXHAUSTED'
  /** 429: close the gate. */
  | 'RATE_LIMITED'
  /** 408, 499, 5xx, any response without Google's JSON error, a lost connection, a time-out: it may have taken effect. */
  | 'UNANSWERED'
  /** It certainly did not reach Earth Engine: no token, no address, connection refused. */
  | 'NOT_SENT'
  /** 401, 403: an operator must act. */
  | 'PERMISSION'
  /** The requestId was used before: look for its operation. */
  | 'ALREADY_STARTED'
  /** A 404 for an operation. (A 404 for `video:export` is REFUSED.) */
  | 'NOT_FOUND'
  /** Any other 4xx: the request is wrong, and a retry cannot succeed. */
  | 'REFUSED';

/** An error response, or a lost one. `message` has the method, the path and Earth Engine's message, never the request. */
export class EarthEngineError extends ServiceError {
  override readonly name = 'EarthEngineError';
  readonly kind: EarthEngineErrorKind;
  /** HTTP status; 504 for a timeout and 503 for a lost connection, which have none. */
  readonly httpStatus: number;
  /** google.rpc status name, such as `PERMISSION_DENIED`. */
  readonly status: string;
  /** Earth Engine's message alone. */
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
  /** The call is abandoned after this time. */
  readonly timeoutMs: number;
  /** Aborts the call earlier. */
  readonly signal?: AbortSignal | undefined;
}

export interface OperationCallOptions extends CallOptions {
  /** The project whose quota the call uses. Default: the one in the operation's name, which can be a project number. */
  readonly project?: string | undefined;
}

/**
 * The calls to Earth Engine, each of which is one HTTP request. None of them retries, since only the caller can decide what a
 * lost response means. All reject with EarthEngineError.
 */
export interface EarthEngine {
  /** `POST /v1/projects/{project}/video:export` with exactly these bytes. */
  startExport(project: string, request: Uint8Array, options: CallOptions): Promise<Operation>;
  getOperation(operation: string, options: OperationCallOptions): Promise<Operation>;
  /** One page of at most 500 operations of all users, in no documented order. */
  listOperations(
    project: string,
    pageToken: string | undefined,
    options: CallOptions,
  ): Promise<OperationPage>;
  /** Requests cancellation; the operation can still succeed. */
  cancelOperation(operation: string, options: OperationCallOptions): Promise<void>;
  /** The service account that makes the calls; undefined without credentials. */
  serviceAccount(): Promise<string | undefined>;
}

/** Notified of every response, for information that is in headers. */
export interface EarthEngineObserver {
  /** `X-Earth-Engine-Quota-Status`: whether parallelism is restricted. */
  quotaStatus(project: string, restricted: boolean): void;
}

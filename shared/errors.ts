/** Every code that an error of the service can have: stable, because logs, tests and callers match on it. */
export type ErrorCode =
  | 'CONFIG_INVALID'
  | 'STORE_FAILED'
  | 'STORE_TIMEOUT'
  | 'WRITE_STALE'
  | 'DOCUMENT_UNREADABLE'
  | 'PUBLISH_FAILED'
  | 'PUBLISH_PAUSED'
  | 'PUBLISH_TIMEOUT'
  | 'PULL_FAILED'
  | 'BATCH_BUSY'
  | 'BATCH_UNFINISHED'
  | 'EARTH_ENGINE_QUEUE_FULL'
  | 'EARTH_ENGINE_QUOTA_EXHAUSTED'
  | 'EARTH_ENGINE_RATE_LIMITED'
  | 'EARTH_ENGINE_UNANSWERED'
  | 'EARTH_ENGINE_NOT_SENT'
  | 'EARTH_ENGINE_PERMISSION'
  | 'EARTH_ENGINE_ALREADY_STARTED'
  | 'EARTH_ENGINE_NOT_FOUND'
  | 'EARTH_ENGINE_REFUSED'
  | 'STORAGE_DENIED'
  | 'STORAGE_NOT_FOUND'
  | 'STORAGE_CONFLICT'
  | 'STORAGE_UNAVAILABLE'
  | 'STORAGE_REFUSED';

/**
 * An error with a code from a closed list. `code` is what tests and callers match on; `message` describes what happened
 * and what to do next; `cause` keeps what was caught.
 */
export abstract class CodedError<Code extends string> extends Error {
  readonly code: Code;

  constructor(code: Code, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** An error of the service. The command line and the local stack have lists of their own. */
export class ServiceError extends CodedError<ErrorCode> {
  override readonly name: string = 'ServiceError';
}

/** A setting is missing or wrong. The process must not start: every message would be handled wrongly. */
export class ConfigError extends ServiceError {
  override readonly name = 'ConfigError';
  /** The required variables that are not set. */
  readonly missing: readonly string[];

  constructor(message: string, missing: readonly string[]) {
    super('CONFIG_INVALID', message);
    this.missing = missing;
  }
}

/**
 * A conditional write found the document changed (or gone) since it was read. Never retried blindly: read again, decide
 * again.
 */
export class StaleWriteError extends ServiceError {
  override readonly name = 'StaleWriteError';

  constructor(path: string, options?: ErrorOptions) {
    super('WRITE_STALE', `${path} has changed since it was read; read it again`, options);
  }
}

/** A stored document does not have the shape that this version writes. It is skipped, and its content is never guessed. */
export class UnreadableError extends ServiceError {
  override readonly name = 'UnreadableError';

  constructor(path: string, detail: string, options?: ErrorOptions) {
    super('DOCUMENT_UNREADABLE', `${path} cannot be read: ${detail}; fix or delete it manually`, options);
  }
}

/** The thrown value as an Error, whatever it was: a library may throw a string. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

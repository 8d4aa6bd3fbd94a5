/**
 * An error of this service. `code` is stable and is what tests and callers match on; `message` says what happened and
 * what to do next; `cause` keeps what was caught.
 */
export class ServiceError extends Error {
  override readonly name: string = 'ServiceError';
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** A setting is missing or wrong. The process must not start: every message would be handled wrongly. */
export class ConfigError extends ServiceError {
  override readonly name = 'ConfigError';

  constructor(message: string, options?: ErrorOptions) {
    super('CONFIG_INVALID', message, options);
  }
}

/**
 * A conditional write found the document changed (or gone) since it was read. Never retried blindly: read again, decide
 * again.
 */
export class StaleWriteError extends ServiceError {
  override readonly name = 'StaleWriteError';

  constructor(path: string, options?: ErrorOptions) {
    super('WRITE_STALE', `${path} was changed by someone else since it was read; read it again`, options);
  }
}

/** A stored document does not have the shape that this version writes. It is set aside, never guessed at. */
export class UnreadableError extends ServiceError {
  override readonly name = 'UnreadableError';

  constructor(path: string, detail: string, options?: ErrorOptions) {
    super('DOCUMENT_UNREADABLE', `${path} cannot be read: ${detail}; mend or delete it by hand`, options);
  }
}

/** The thrown value as an Error, whatever it was: a library may throw a string. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

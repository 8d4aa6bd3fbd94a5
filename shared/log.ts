import { asError, CodedError } from './errors.ts';

export type Severity = 'DEBUG' | 'INFO' | 'WARNING' | 'ERROR';

/**
 * The fields of a log line: short facts (ids, states, counts), never an expression, a token or a message body, since more
 * people can read the logs than the data.
 */
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined | object>>;

export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warning(event: string, fields?: LogFields): void;
  error(event: string, error: unknown, fields?: LogFields): void;
  /** The same log with `fields` on every line. */
  with(fields: LogFields): Log;
}

/**
 * One JSON object per line in Cloud Logging's structured form
 * (https://cloud.google.com/logging/docs/structured-logging). `event` is a stable name to filter and alert on.
 */
export function createLog(write: (line: string) => void, now: () => Date, context: LogFields = {}): Log {
  const line = (severity: Severity, event: string, fields: LogFields) =>
    write(
      JSON.stringify({ severity, event, message: event, time: now().toISOString(), ...context, ...fields }),
    );
  return {
    debug: (event, fields = {}) => line('DEBUG', event, fields),
    info: (event, fields = {}) => line('INFO', event, fields),
    warning: (event, fields = {}) => line('WARNING', event, fields),
    error: (event, error, fields = {}) => line('ERROR', event, { ...errorFields(error), ...fields }),
    with: (fields) => createLog(write, now, { ...context, ...fields }),
  };
}

/** Discards everything: for tests and the command line. */
export const silentLog: Log = createLog(
  () => {},
  () => new Date(0),
);

/** The log fields of an error. Error Reporting groups errors by `stack_trace`. */
export function errorFields(thrown: unknown): LogFields {
  const error = asError(thrown);
  return {
    error: {
      name: error.name,
      code: error instanceof CodedError ? error.code : undefined,
      message: error.message,
      cause: error.cause === undefined ? undefined : asError(error.cause).message,
    },
    stack_trace: error.stack,
  };
}

/**
 * The trace of a request, in the field by which Cloud Logging groups request and application lines.
 *
 * @param project the Google Cloud project that the trace belongs to
 * @param header `X-Cloud-Trace-Context` (`TRACE/SPAN;o=1`) or W3C `traceparent` (`00-TRACE-SPAN-01`)
 */
export function traceFields(project: string, header: string | undefined): LogFields {
  const trace = header?.match(/^(?:00-)?([0-9a-f]{32})(?:[/-]|$)/i)?.[1];
  return trace ? { 'logging.googleapis.com/trace': `projects/${project}/traces/${trace.toLowerCase()}` } : {};
}

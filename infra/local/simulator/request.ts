/** One HTTP request, over a socket or in process. */
export interface SimulatorRequest {
  readonly method: string;
  /** Includes the query. */
  readonly path: string;
  /** Names are in lowercase. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

export interface SimulatorReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What the caller gets: a response, a connection that breaks, one that stays silent, or no connection. */
export type SimulatorAnswer = SimulatorReply | 'RESET' | 'SILENCE' | 'UNREACHABLE';

/** Why a request was refused, for the simulator's own log of calls. */
export type RefusalReason =
  | 'INVALID'
  | 'DENIED'
  | 'UNAUTHENTICATED'
  | 'QUEUE_FULL'
  | 'QUOTA_EXHAUSTED'
  | 'DIFFERENT'
  | 'NOT_FOUND';

/** A refusal in the form of Google's APIs (google.rpc.Status). */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly httpStatus: number;
  readonly reason: RefusalReason;
  readonly details: readonly unknown[];

  constructor(
    httpStatus: number,
    message: string,
    reason: RefusalReason = 'INVALID',
    details: readonly unknown[] = [],
  ) {
    super(message);
    this.httpStatus = httpStatus;
    this.reason = reason;
    this.details = details;
  }
}

const statusNames: Readonly<Record<number, string>> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  409: 'ALREADY_EXISTS',
  429: 'RESOURCE_EXHAUSTED',
  500: 'INTERNAL',
  503: 'UNAVAILABLE',
  504: 'DEADLINE_EXCEEDED',
};

export function jsonReply(body: string, status = 200, headers: Record<string, string> = {}): SimulatorReply {
  return { status, headers: { 'content-type': 'application/json; charset=UTF-8', ...headers }, body };
}

export function refusalReply(
  { httpStatus, message, details }: Refusal,
  headers: Record<string, string> = {},
): SimulatorReply {
  const error = {
    code: httpStatus,
    message,
    status: statusNames[httpStatus] ?? 'UNKNOWN',
    ...(details.length > 0 && { details }),
  };
  return jsonReply(JSON.stringify({ error }), httpStatus, headers);
}

export const badGatewayReply: SimulatorReply = {
  status: 502,
  headers: { 'content-type': 'text/html; charset=UTF-8' },
  body: '<!DOCTYPE html><html lang=en><title>Error 502 (Server Error)!!1</title><p><b>502.</b> That’s an error.</html>\n',
};

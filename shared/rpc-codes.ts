/** The status codes of gRPC (https://grpc.io/docs/guides/status-codes/), which operations of Earth Engine use as well. */
export const rpcCodes = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const;

/** The name of a status code, for errors that have only the number. */
export const rpcCodeName = (code: number): string =>
  Object.entries(rpcCodes).find(([, known]) => known === code)?.[0] ?? 'UNKNOWN';

/** The gRPC status code of an error, or of the error that caused it: the service's errors keep the client's as `cause`. */
export function rpcCodeOf(error: unknown): number | undefined {
  for (let at = error; at instanceof Error; at = at.cause) {
    const { code } = at as { code?: unknown };
    if (typeof code === 'number') {
      return code;
    }
  }
  return undefined;
}

/** The gRPC status codes that the code checks for (https://grpc.io/docs/guides/status-codes/). */
export const rpcCodes = {
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  FAILED_PRECONDITION: 9,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
} as const;

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

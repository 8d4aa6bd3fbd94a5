import type { Operation } from '../earth-engine/api.ts';
import { judgeFailure } from '../earth-engine/task-failures.ts';
import type { ActiveRecord, CancelReason, RecordError } from '../model/record.ts';
import { rpcCodeName, rpcCodes } from '../rpc-codes.ts';

/** What an Earth Engine operation means for its record: its state and its error. */

type OperationRecordState = 'PENDING' | 'RUNNING' | 'CANCELLING' | 'SUCCEEDED' | 'FAILED' | 'CANCELLED';

/**
 * The record state that matches an operation. If Earth Engine's own `state` is missing or unknown, the ending decides;
 * without an ending, the recorded state stays. There are four endings: not done, done with a response, done with an
 * error, and done with neither, which is a success only if Earth Engine reports SUCCEEDED or names an output.
 */
export function stateOf(operation: Operation, recorded?: ActiveRecord['state']): OperationRecordState {
  if (operation.done) {
    if (operation.error) {
      return operation.error.code === rpcCodes.CANCELLED || operation.state === 'CANCELLED'
        ? 'CANCELLED'
        : 'FAILED';
    }
    if (operation.state === 'CANCELLED' || operation.state === 'FAILED') {
      return operation.state;
    }
    return operation.hasResponse || operation.state === 'SUCCEEDED' || operation.destinationUris.length > 0
      ? 'SUCCEEDED'
      : 'FAILED';
  }
  switch (operation.state) {
    case 'PENDING':
    case 'RUNNING':
    case 'CANCELLING':
      return operation.state;
    // Final although `done` is missing: Earth Engine has returned operations without it.
    case 'SUCCEEDED':
    case 'FAILED':
    case 'CANCELLED':
      return operation.state;
    case 'UNKNOWN':
    case undefined:
      return recorded === undefined || recorded === 'PENDING'
        ? operation.startTime
          ? 'RUNNING'
          : 'PENDING'
        : recorded;
  }
}

/** Whether Earth Engine has ended the operation, whatever the record says. */
export function hasEnded(operation: Operation): boolean {
  const state = stateOf(operation);
  return state === 'SUCCEEDED' || state === 'FAILED' || state === 'CANCELLED';
}

const afterOwnCancellation = {
  BUDGET: { retryable: true, advice: 'Retry the job when the budget has room again, or raise its limit.' },
  EECU_LIMIT: {
    retryable: false,
    advice: 'Make the job smaller, or publish it with a higher attempt and a higher maxEecuHours.',
  },
} as const;

/**
 * Why an operation failed or was canceled, and whether a retry could succeed, as far as the message shows.
 *
 * @param cancelReason why the service canceled it, if it did so by itself
 */
export function operationError(
  operation: Operation,
  state: 'FAILED' | 'CANCELLED',
  cancelReason?: CancelReason,
): RecordError {
  if (state === 'CANCELLED') {
    if (cancelReason) {
      return { code: rpcCodes.CANCELLED, ...cancelReason, ...afterOwnCancellation[cancelReason.status] };
    }
    const message = operation.error?.message ?? 'Canceled.';
    return { code: rpcCodes.CANCELLED, status: 'CANCELLED', message, retryable: true };
  }
  const code = operation.error?.code ?? rpcCodes.UNKNOWN;
  const message =
    operation.error?.message ?? 'Earth Engine ended the operation with neither a response nor an error.';
  return { code, status: rpcCodeName(code), message, ...judgeFailure(code, message) };
}

import { describe, expect, it } from 'vitest';

import { later, SECOND_MS } from '../../shared/clock.ts';
import { afterOperation, shouldCancel } from '../../shared/submission/note-operation.ts';
import { frozen, moment, operationIn, policy, recordId, sample } from '../record/samples.ts';

const { now } = moment;
const another = 'projects/demo-ee/operations/ANOTHER';
const secondGeneration = { generation: 2, requestId: `${recordId}-g2` };

describe('an extra operation of a generation that the record sent', () => {
  const record = sample('RUNNING', secondGeneration);

  it.each([
    ['while it runs', 'RUNNING', now],
    ['but not once it has ended', 'SUCCEEDED', undefined],
  ])('is noted, and canceled %s', (_when, state, cancelledAt) => {
    const found = { operation: operationIn(state, { name: another }), requestId: recordId };
    const after = afterOperation(record, found, policy, moment);
    expect(after?.extraOperations).toEqual([
      { operation: another, requestId: recordId, cancelledAt, seenAt: now },
    ]);
    expect(shouldCancel(record, found)).toBe(cancelledAt !== undefined);
  });

  it('is noted once', () => {
    const found = { operation: operationIn('RUNNING', { name: another }), requestId: recordId };
    const noted = afterOperation(record, found, policy, moment);
    expect(noted && afterOperation(noted, found, policy, moment)).toBeUndefined();
  });
});

describe('an answer that is older than the record', () => {
  const record = frozen('RUNNING');
  const asOf = later(record.updatedAt, -SECOND_MS);

  it('changes nothing', () => {
    const found = { operation: operationIn('PENDING'), requestId: recordId, asOf };
    expect(afterOperation(record, found, policy, moment)).toBeUndefined();
  });

  it('still ends the record', () => {
    const found = { operation: operationIn('SUCCEEDED'), requestId: recordId, asOf };
    expect(afterOperation(record, found, policy, moment)?.state).toBe('SUCCEEDED');
  });
});

describe("a record's own operation", () => {
  const found = { operation: operationIn('RUNNING'), requestId: recordId };

  it('is canceled only on request', () => {
    expect(shouldCancel(frozen('RUNNING'), found)).toBe(false);
    expect(shouldCancel(sample('RUNNING', { cancelRequestedAt: now }), found)).toBe(true);
    expect(shouldCancel(sample('CANCELLING', { cancelRequestedAt: now }), found)).toBe(false);
  });
});

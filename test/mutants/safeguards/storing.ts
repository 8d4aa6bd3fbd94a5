import { type Mutant, mutantsOf } from '../mutant.ts';

/** Writing records with their events, and what a document can hold. */
export const storing: readonly Mutant[] = [
  ...mutantsOf(
    'shared/records.ts',
    ['test/records.test.ts'],
    [
      {
        name: 'created-without-its-event',
        removes: 'the event of a new record is stored in the same write',
        find: 'event ? withPending(record, event) : record',
        replace: 'record',
      },
      {
        name: 'decision-without-its-event',
        removes: 'the event of a decision is stored in the same write',
        find: 'recordSchema.parse(withPending(next, event)),',
        replace: 'recordSchema.parse(next),',
      },
      {
        name: 'decision-told-first',
        removes: 'a decision is written before it is published',
        find: 'if (isOwnDecision(next)) {',
        replace: 'if (!isOwnDecision(next)) {',
      },
      {
        name: 'unpublished-event-lost',
        removes: "an event of Earth Engine's that cannot be published stays pending",
        find: 'unpublished.size === 0 ? next : withPending(next, event)',
        replace: 'next',
      },
      {
        name: 'pending-events-forgotten',
        removes: 'a pending event stays until it is published',
        find: 'one.value.unpublishedEvents === undefined || unpublished.has(one.id)',
        replace: 'one.value.unpublishedEvents === undefined',
      },
      {
        name: 'stale-write-lost',
        removes: 'a decision on an outdated record is made again',
        find: '!(error instanceof StaleWriteError) || reread >= MAX_REREADS',
        replace: '!(error instanceof StaleWriteError) || reread >= 0',
      },
      {
        name: 'stale-value-written',
        removes: 'a decision is made on the record as it is now',
        rule: 1,
        find: 'const next = decide(current.value);',
        replace: 'const next = decide(stored.value);',
      },
      {
        name: 'endless-rereads',
        removes: 'a record that is written again and again is given up',
        find: ' || reread >= MAX_REREADS',
        replace: ' || reread < 0',
      },
    ],
  ),
  ...mutantsOf(
    'shared/record/events.ts',
    ['test/record/events.test.ts'],
    [
      {
        name: 'cancellation-told-first',
        removes: 'a cancellation without an operation is written before it is published',
        find: 'return record.operation === undefined;',
        replace: 'return false;',
      },
      {
        name: 'event-id-without-revision',
        removes: 'each event has an ID of its own',
        find: '${recordId}:${event.revision}:${event.state}',
        replace: '${recordId}:${event.state}',
      },
      {
        name: 'attribute-size',
        removes: 'an event with a long job key can be published',
        find: ' && Buffer.byteLength(value) <= MAX_ATTRIBUTE_BYTES',
        replace: '',
      },
    ],
  ),
  ...mutantsOf(
    'shared/store/limits.ts',
    [
      'test/message/rejection.test.ts',
      'test/infra/local/memory-store.test.ts',
      'test/message/envelope.test.ts',
    ],
    [
      {
        name: 'document-size',
        removes: 'the in-memory store rejects what Firestore would',
        find: 'bytes > DOCUMENT_BYTES ?',
        replace: 'bytes < 0 ?',
      },
      {
        name: 'slash-in-an-id',
        removes: 'an ID does not lead to another collection',
        find: "    !text.includes('/') &&\n",
        replace: '',
      },
    ],
  ),
  ...mutantsOf(
    'shared/store/request-parts.ts',
    ['test/store/request-parts.test.ts'],
    [
      {
        name: 'damaged-request',
        removes: 'damaged bytes are never sent',
        rule: 2,
        find: 'if (hash(data) !== sha256) {',
        replace: 'if (data.length === 0) {',
      },
      {
        name: 'parts-of-another-sender',
        removes: "another sender's bytes cannot replace a claim's",
        rule: 2,
        find: 'n < COMMITTED_PARTS ? String(n) : `${sha256}-${n}`',
        replace: 'n < COMMITTED_PARTS ? String(n) : `x${sha256.length}-${n}`',
      },
    ],
  ),
  ...mutantsOf(
    'shared/store/fields.ts',
    ['test/infra/local/memory-store.test.ts'],
    [
      {
        name: 'dropped-fields',
        removes: 'a field that a record no longer has is deleted',
        find: 'before[name] !== undefined && after[name] === undefined',
        replace: 'before[name] === undefined && after[name] !== undefined',
      },
    ],
  ),
  ...mutantsOf(
    'shared/store/pages.ts',
    ['test/store/pages.test.ts'],
    [
      {
        name: 'first-page-only',
        removes: 'a query is read to its end',
        find: 'if (page.length < limit) {',
        replace: 'if (page.length <= limit) {',
      },
    ],
  ),
  ...mutantsOf(
    'shared/store/queries.ts',
    ['test/submission/gate.test.ts'],
    [
      {
        name: 'occupied-without-claims',
        removes: 'a claim counts against MAX_ACTIVE_OPERATIONS',
        find: "['SUBMITTING', ...activeStates]",
        replace: '[...activeStates]',
      },
      {
        name: 'queue-by-priority',
        removes: 'a job with a higher priority is sent first',
        find: "      ['waitingFor', 'in', queueReasons],\n    ],\n    orderBy: [\n      ['priority', 'desc'],",
        replace:
          "      ['waitingFor', 'in', queueReasons],\n    ],\n    orderBy: [\n      ['priority', 'asc'],",
        tests: [
          'test/scale/gate.test.ts',
          'test/submission/rules-following.test.ts',
          'test/infra/local/memory-store.test.ts',
        ],
      },
    ],
  ),
];

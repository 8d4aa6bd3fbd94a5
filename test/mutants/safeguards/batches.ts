import { type Mutant, mutantsOf } from '../mutant.ts';

const expanding = 'test/batch/expand-batch.test.ts';
const crashes = 'test/batch/crashes.simulation.test.ts';
const shared = 'test/batch/shared-jobs.test.ts';
const canceling = 'test/cancellation/cancel-exports.test.ts';

/** Batches, cancellations, retries, and dead letters. */
export const batches: readonly Mutant[] = [
  ...mutantsOf(
    'shared/batch/change-batch.ts',
    ['test/batch/change-batch.test.ts'],
    [
      {
        name: 'stale-batch-not-read-again',
        removes: 'a change of a batch that was written meanwhile is decided again',
        find: 'if (!(error instanceof StaleWriteError)) {',
        replace: 'if (error) {',
      },
      {
        name: 'claim-of-another-ended',
        removes: 'a process ends only its own claim of a batch',
        find: 'if (batch?.claim?.token !== token) {',
        replace: 'if (batch?.claim === undefined) {',
      },
    ],
  ),
  ...mutantsOf(
    'shared/batch/each-batch.ts',
    ['test/batch/change-batch.test.ts'],
    [
      {
        name: 'one-batch-stops-all-batches',
        removes: 'a batch that fails does not affect the others',
        find: "log.error('batch.failed', error, { batchId: found.id });",
        replace: 'throw error;',
      },
    ],
  ),
  ...mutantsOf(
    'shared/batch/expand-batch.ts',
    [expanding, crashes],
    [
      {
        name: 'progress-without-claim',
        removes: 'only the delivery that has the claim writes progress',
        find: 'batch?.manifestHash === hash && batch.claim?.token === token',
        replace: 'batch?.manifestHash === hash',
      },
      {
        name: 'two-deliveries-expand',
        removes: 'another message waits for the lease of an expansion',
        find: 'batch.claim && batch.claim.leaseUntil > now && batch.messageId !== messageId',
        replace: 'batch.claim && batch.claim.leaseUntil < now && batch.messageId !== messageId',
      },
      {
        name: 'redelivery-waits-for-the-lease',
        removes: 'a redelivery of the same message does not wait for the lease',
        find: ' && batch.messageId !== messageId;',
        replace: ';',
      },
      {
        name: 'dead-expansion-blocks',
        removes: 'an expansion that died is taken over after its lease',
        find: 'batch.claim && batch.claim.leaseUntil > now && batch',
        replace: 'batch.claim && batch',
        tests: ['test/batch/chunks.test.ts'],
      },
      {
        name: 'another-manifest-of-the-run',
        removes: 'another manifest of the same run is rejected',
        find: 'if (batch.manifestHash !== manifestHash) {',
        replace: "if (manifestHash === '') {",
      },
      {
        name: 'canceled-batch-expanded',
        removes: 'a batch that was canceled first is not expanded',
        rule: 8,
        find: "if (batch.manifestHash === '' && batch.cancelRequestedAt !== undefined) {",
        replace: "if (batch.manifestHash === '' && batch.state === 'EXPANDING') {",
        tests: [canceling],
      },
      {
        name: 'expansion-goes-on-after-cancellation',
        removes: 'an expansion stops when its batch is canceled',
        rule: 8,
        find: "if ('cancelled' in progress) {",
        replace: "if ('cancelled' in progress && from < 0) {",
        tests: [canceling, crashes],
      },
      {
        name: 'lost-publish-counted',
        removes: 'jobs that could not be published are published again',
        rule: 13,
        find: 'if (failed) {',
        replace: 'if (failed && count === 0) {',
        tests: [expanding, crashes],
      },
      {
        name: 'shared-job-published',
        removes: 'a job that already has a record is counted, not published',
        rule: 13,
        find: 'contentHash === undefined || contentHash === contentHashOfJob(expansion, job, rules)',
        replace: "contentHash === ''",
        tests: [expanding, shared],
      },
      {
        name: 'conflict-not-published',
        removes: 'a job with other content is published, so that its conflict is recorded',
        rule: 13,
        find: 'contentHash === undefined || contentHash === contentHashOfJob(expansion, job, rules)',
        replace: "contentHash !== ''",
        tests: [expanding, shared],
      },
      {
        name: 'running-before-all-is-published',
        removes: 'a batch is RUNNING when all of its jobs are published',
        rule: 13,
        find: 'return published === expansion.jobs\n',
        replace: 'return published > 0\n',
      },
      {
        name: 'published-before-it-is-checked',
        removes: 'every job is checked before the first is published',
        find: 'if (issues.length > 0) {',
        replace: 'if (issues.length > 1e9) {',
        tests: [expanding],
      },
      {
        name: 'chunk-bytes',
        removes: 'a chunk has a bounded size',
        find: 'if (jobs > 0 && bytes > CHUNK_BYTES) {',
        replace: 'if (jobs > 0 && bytes < 0) {',
        tests: ['test/batch/chunks.test.ts'],
      },
    ],
  ),
  ...mutantsOf(
    'shared/batch/finish-batches.ts',
    [expanding, shared, 'test/retry/retry.test.ts'],
    [
      {
        name: 'finished-while-it-grows',
        removes: 'a batch does not finish while jobs are added to it',
        rule: 13,
        tests: ['test/retry/retry.test.ts', crashes, expanding],
        find: '    isGrowing ||\n',
        replace: '',
      },
      {
        name: 'finished-with-missing-jobs',
        removes: 'a batch finishes only when each of its jobs has a record or was rejected',
        rule: 13,
        find: 'const missing = batch.published - (batch.existing ?? 0) - (shared - sharedRetries) - (records - retries);',
        replace: 'const missing = 0 * (records + retries + shared + sharedRetries);',
      },
      {
        name: 'rejected-twice-counted-twice',
        removes: 'a job that was rejected twice counts once',
        rule: 13,
        find: 'const distinct = rejected === 0 ? 0 : await countRejectedJobs(store, id);',
        replace: 'const distinct = rejected;',
      },
      {
        name: 'retries-counted-as-jobs',
        removes: 'a later attempt does not count for another job',
        rule: 13,
        find: '(records - retries)',
        replace: 'records',
        tests: ['test/batch/finish-batches.test.ts'],
      },
      {
        name: 'late-job-ignored',
        removes: 'a finished batch is RUNNING again when a job arrives late',
        rule: 13,
        find: 'if (!late && unfinished + shared === 0) {',
        replace: 'if (late || !late) {',
      },
      {
        name: 'late-job-after-an-hour',
        removes: 'a finished batch is checked as long as Pub/Sub can deliver its jobs',
        rule: 13,
        find: 'now.getUTCMinutes() === 0 ? -ON_THE_WAY_MS : -HOUR_MS',
        replace: '-HOUR_MS',
      },
      {
        name: 'batch-event-lost',
        removes: "a batch's event stays pending until it is published",
        find: "    log.warning('event.pending', { batchId: id, error: outcome.error.message });\n    return;",
        replace: "    log.warning('event.pending', { batchId: id, error: outcome.error.message });",
      },
    ],
  ),
  ...mutantsOf(
    'shared/batch/check-expansion.ts',
    ['test/batch/manifest.test.ts', expanding],
    [
      {
        name: 'two-combinations-one-job',
        removes: 'two combinations do not make the same job',
        find: 'if (first === undefined) {',
        replace: 'if (first !== job) {',
      },
      {
        name: 'message-size',
        removes: 'a job message fits into Pub/Sub',
        find: 'if (bytes > MAX_MESSAGE_BYTES) {',
        replace: 'if (bytes < 0) {',
      },
      {
        name: 'check-without-end',
        removes: 'the check of a manifest ends in time',
        find: '    if (isOver()) {',
        replace: '    if (job < 0 && isOver()) {',
      },
    ],
  ),
  ...mutantsOf(
    'shared/record/batches.ts',
    [shared],
    [
      {
        name: 'endless-batches-of-a-record',
        removes: 'a record stores a bounded number of batches',
        find: 'also.length < MAX_ALSO',
        replace: 'also.length < 1e9',
      },
    ],
  ),
  ...mutantsOf(
    'shared/cancellation/cancel-record.ts',
    ['test/cancellation/cancel-record.test.ts'],
    [
      {
        name: 'canceled-although-it-may-run',
        removes: 'a waiting job ends at once only if nothing can have started',
        rule: 8,
        find: "record.state === 'WAITING' && isProvenAbsent(record, policy)",
        replace: "record.state === 'WAITING'",
      },
      {
        name: 'failed-cancellation-not-due',
        removes: 'a cancellation whose call fails is repeated soon',
        rule: 8,
        find: 'isActive(record) && record.cancelRequestedAt !== undefined\n',
        replace: "record.state === 'PENDING' && record.cancelRequestedAt === undefined\n",
      },
      {
        name: 'cancellation-not-checked',
        removes: 'a cancellation that never reached Earth Engine is noticed within minutes',
        rule: 8,
        find: 'untilCanceled(requested.dueAt, now)',
        replace: 'requested.dueAt',
      },
      {
        name: 'cancellation-rate',
        removes: 'cancellations stay below the rate limit',
        find: 'nextMs = atMs + SECOND_MS / perSecond;',
        replace: 'nextMs = atMs;',
      },
    ],
  ),
  ...mutantsOf(
    'shared/cancellation/cancel-batch.ts',
    [canceling, crashes],
    [
      {
        name: 'late-arrivals-run',
        removes: 'a job that arrives after its batch was canceled is canceled',
        rule: 8,
        find: 'const { records, operations } = await cancelRecordsOf(services, stored, deadline);\n    if (records > 0) {',
        replace:
          'const { records, operations } = { records: 0, operations: 0 };\n    if (records > deadline.getTime()) {',
      },
      {
        name: 'progress-too-far',
        removes: 'a record that appears a little later is canceled too',
        rule: 8,
        find: 'const through = later(startedAt, -APPEARS_WITHIN_MS);',
        replace: 'const through = startedAt;',
        tests: ['test/cancellation/cancel-batch.test.ts'],
      },
      {
        name: 'unseen-batch-not-marked',
        removes: 'a batch can be canceled before its manifest arrives',
        rule: 8,
        find: 'return { ...unseenBatch(batchId, messageId, now), cancelRequestedAt: requestedAt };',
        replace: 'return undefined;',
      },
    ],
  ),
  ...mutantsOf(
    'shared/cancellation/cancel-exports.ts',
    [canceling],
    [
      {
        name: 'cancellation-in-another-project',
        removes: 'a cancellation names an allowed project',
        find: 'if (!isAllowed(config.allowedProjects, project)) {',
        replace: "if (project === '') {",
      },
      {
        name: 'cancellation-of-another-projects-job',
        removes: 'a cancellation by key applies to one project',
        find: "each.value.project : each.fields['project']) === project)",
        replace: "each.value.project : each.fields['project']) !== '')",
        tests: ['test/cancellation/cancel-batch.test.ts'],
      },
    ],
  ),
  ...mutantsOf(
    'shared/cancellation/cancellation-schema.ts',
    [canceling],
    [
      {
        name: 'cancellation-of-two-things',
        removes: 'a cancellation names exactly one thing',
        find: '.filter((name) => name !== undefined).length === 1',
        replace: '.filter((name) => name !== undefined).length >= 1',
      },
    ],
  ),
  ...mutantsOf(
    'shared/retry/retry.ts',
    ['test/retry/retry.test.ts'],
    [
      {
        name: 'retry-while-active',
        removes: 'a job is not retried while an attempt is active',
        find: 'if (!isTerminal(record)) {',
        replace: "if (record.state === 'SUBMITTING') {",
      },
      {
        name: 'retry-of-an-earlier-attempt',
        removes: 'only the latest attempt is retried',
        find: 'if (await hasLaterAttempt(services, record)) {',
        replace: 'if (!record.project) {',
      },
      {
        name: 'batch-not-reopened',
        removes: 'retrying a job sets its batch back to RUNNING first',
        rule: 13,
        find: 'batches.reopen(batchesOf(record))',
        replace: 'batches.reopen([])',
      },
      {
        name: 'request-too-large-for-its-id',
        removes: 'a request that has no room for a longer ID is not retried',
        find: 'if (bytes.length > REQUEST_BYTES) {',
        replace: 'if (bytes.length < 0) {',
        tests: ['test/retry/request-size.test.ts'],
      },
    ],
  ),
  ...mutantsOf(
    'shared/retry/reopening.ts',
    ['test/retry/retry.test.ts'],
    [
      {
        name: 'batch-stays-finished',
        removes: 'a batch that finished while its retry stood still is set back to RUNNING again',
        rule: 13,
        find: "if (batch?.state === 'FINISHED') {",
        replace: "if (batch?.state === 'EXPANDING') {",
      },
      {
        name: 'retry-during-cancellation',
        removes: 'a job is not retried while its batch is being canceled',
        find: "batch === undefined || batch.state === 'FINISHED' || batch.cancelRequestedAt === undefined",
        replace: "batch === undefined || batch.state !== 'EXPANDING'",
      },
    ],
  ),
  ...mutantsOf(
    'shared/dead-letters/record-dead-letter.ts',
    ['test/dead-letters/dead-letters.test.ts'],
    [
      {
        name: 'claims-to-be-rejected',
        removes: 'a message that only claims to be recorded is recorded',
        find: 'known !== undefined && (await store.rejectedMessages.get(known)) !== undefined',
        replace: 'known !== undefined',
      },
      {
        name: 'noted-twice',
        removes: 'a redelivered dead letter is noted once',
        find: 'if (record.history.some((entry) => entry.note === note)) {',
        replace: 'if (record.history.length < 0) {',
      },
    ],
  ),
  ...mutantsOf(
    'shared/dead-letters/replay.ts',
    ['test/dead-letters/dead-letters.test.ts'],
    [
      {
        name: 'replayed-twice',
        removes: 'a message is replayed once',
        find: 'if (rejected?.value.replayedAt) {',
        replace: 'if (rejected?.value.replayedAt === null) {',
      },
      {
        name: 'replay-of-rejected-messages',
        removes: 'a replay covers only the given reasons',
        find: '!reasons.includes(reason) || ',
        replace: '',
      },
      {
        name: 'replay-forgets-the-run',
        removes: 'a replayed manifest keeps its first publish time',
        find: '{ ...attributes, originalPublishTime: publishTime }',
        replace: 'attributes',
      },
    ],
  ),
  ...mutantsOf(
    'shared/batch/finish-batches.ts',
    [shared, 'test/batch/finish-batches.test.ts'],
    [
      {
        name: 'late-retry-not-counted',
        removes: 'a record that a slow retry created before it crashed reopens its batch',
        rule: 13,
        find: '!late && unfinished + shared === 0',
        replace: '!late && shared === 0',
        tests: ['test/retry/retry.test.ts'],
      },
      {
        name: 'finished-while-shared-jobs-run',
        removes: 'a batch does not finish while jobs that another batch created run',
        rule: 13,
        find: ' ||\n    (await store.records.count(recordQueries.alsoUnfinishedOfBatch(id))) > 0\n',
        replace: '\n',
      },
      {
        name: 'expired-jobs-hold-up-a-batch',
        removes: 'a batch whose first records were deleted still finishes',
        rule: 13,
        find: 'const hasAllMessages = clock.now() >= later(',
        replace: 'const hasAllMessages = clock.now() < later(',
      },
    ],
  ),
  ...mutantsOf(
    'shared/cancellation/cancel-batch.ts',
    ['test/cancellation/publish-time.test.ts', shared, canceling],
    [
      {
        name: 'redelivered-cancellation',
        removes: 'a redelivered cancellation does not cancel a retry',
        rule: 8,
        find: 'if (known.some((time) => time !== undefined && requestedAt <= time)) {',
        replace: 'if (known.some((time) => time === null)) {',
      },
      {
        name: 'later-jobs-canceled',
        removes: 'a cancellation of a batch leaves jobs that were published later',
        rule: 8,
        find: ' && existedAt(value, requestedAt));',
        replace: ');',
      },
      {
        name: 'shared-jobs-run-on',
        removes: 'canceling a batch cancels the jobs that it shares',
        rule: 8,
        find: 'of isComplete ? pages(store.records, shared, PAGE) : []',
        replace: 'of isComplete ? [] as (readonly Found<ExportRecord>[])[] : []',
      },
    ],
  ),
  ...mutantsOf(
    'shared/cancellation/cancel-exports.ts',
    ['test/cancellation/publish-time.test.ts'],
    [
      {
        name: 'later-attempt-canceled',
        removes: 'a cancellation by key leaves a later attempt',
        rule: 8,
        find: '  if (!existedAt(record, requestedAt)) {\n    return false;\n  }\n',
        replace: '',
      },
    ],
  ),
  ...mutantsOf(
    'shared/dead-letters/replay.ts',
    ['test/dead-letters/dead-letters.test.ts'],
    [
      {
        name: 'endless-replay',
        removes: 'a replay covers only what was kept before it began',
        find: 'const isLate = !isOwn && message.publishTime !== undefined && message.publishTime > startedAt;',
        replace: 'const isLate = message.publishTime !== undefined && message.publishTime < new Date(0);',
      },
      {
        name: 'own-messages-replayed',
        removes: 'what a replay published is not replayed by it again',
        find: "const isOwn = published.has(rejectedMessageIdIn(message.attributes) ?? '');",
        replace: "const isOwn = published.has('');",
      },
      {
        name: 'message-pulled-twice',
        removes: 'a message that is pulled twice is replayed once',
        find: 'const isNew = !seen.has(message.messageId) && !stopping.aborted;',
        replace: 'const isNew = !stopping.aborted;',
      },
    ],
  ),
];

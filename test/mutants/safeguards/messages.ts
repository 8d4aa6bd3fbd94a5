import { type Mutant, mutantsOf } from '../mutant.ts';

/** What a message may contain, what is recorded of one that is rejected, and the settings. */
export const messages: readonly Mutant[] = [
  ...mutantsOf(
    'shared/submission/file-name.ts',
    ['test/submission/video-check.test.ts'],
    [
      {
        name: 'warning-stops-the-job',
        removes: 'no job waits for a warning',
        find: "log.warning('submit.file_name_unknown', { recordId, error: String(error) });",
        replace: 'throw error;',
      },
    ],
  ),
  ...mutantsOf(
    'functions/turns.ts',
    ['test/functions/turns.test.ts'],
    [
      {
        name: 'large-messages-at-once',
        removes: 'large messages take turns, so that an instance has memory for each',
        find: 'used + next.bytes <= budgetBytes',
        replace: 'used + next.bytes >= 0',
      },
      {
        name: 'message-beyond-the-budget',
        removes: 'a message that is larger than the budget gets its turn',
        find: 'used === 0 || ',
        replace: '',
      },
      {
        name: 'turn-not-given-back',
        removes: 'a message that is handled, or fails, ends its turn',
        find: 'used -= bytes;',
        replace: '',
      },
      {
        name: 'turn-after-its-time',
        removes: 'a message that waited too long takes no turn afterward',
        find: 'waiting.splice(waiting.indexOf(entry), 1);',
        replace: '',
      },
    ],
  ),
  ...mutantsOf(
    'shared/message/containers.ts',
    ['test/message/envelope.test.ts'],
    [
      {
        name: 'empty-arrays-fill-the-memory',
        removes: 'a message with more objects and arrays than fit into memory is not parsed',
        find: 'return containers > MAX_CONTAINERS;',
        replace: 'return containers < 0;',
      },
      {
        name: 'brackets-in-text',
        removes: 'brackets in text are no arrays',
        find: '} else if (inText) {',
        replace: '} else if (inText && byte === BACKSLASH) {',
      },
      {
        name: 'quotes-in-text',
        removes: 'a quotation mark in text does not end it',
        find: 'index += byte === BACKSLASH ? 1 : 0;',
        replace: '',
      },
    ],
  ),
  ...mutantsOf(
    'shared/text.ts',
    ['test/earth-engine/errors.test.ts'],
    [
      {
        name: 'half-a-character',
        removes: 'text that is cut can be stored',
        find: 'text.slice(0, characters).toWellFormed()',
        replace: 'text.slice(0, characters)',
      },
    ],
  ),
  ...mutantsOf(
    'shared/expression/read-graph.ts',
    ['test/expression/read-expression.test.ts'],
    [
      {
        name: 'nested-nodes',
        removes: 'nesting within an entry is bounded',
        find: 'if (depth > NESTED_NODES) {',
        replace: 'if (depth < 0) {',
      },
    ],
  ),
  ...mutantsOf(
    'shared/expression/read-constants.ts',
    ['test/expression/read-expression.test.ts'],
    [
      {
        name: 'nested-constants',
        removes: 'nesting within a constant is bounded',
        find: 'if (level > CONSTANT_LEVELS) {',
        replace: 'if (level < 0) {',
      },
      {
        name: 'int64-range',
        removes: 'an integer of a graph fits into 64 bits',
        find: 'return number >= INT64_MIN && number <= INT64_MAX;',
        replace: 'return number !== INT64_MIN - INT64_MAX;',
      },
      {
        name: 'infinite-constant',
        removes: 'a number that JSON cannot send is rejected',
        find: 'if (!Number.isFinite(value)) {',
        replace: 'if (Number.isNaN(value)) {',
      },
    ],
  ),
  ...mutantsOf(
    'shared/expression/read-expression.ts',
    ['test/expression/read-expression.test.ts'],
    [
      {
        name: 'cycles',
        removes: 'a graph that refers to itself is rejected',
        find: "states.get(target) === 'open'",
        replace: 'states.get(target) === undefined',
      },
      {
        name: 'unbound-names',
        removes: 'a name that no function binds is rejected',
        find: 'key !== graph.result && enclosed.has(key)',
        replace: 'key !== graph.result || enclosed.has(key)',
      },
    ],
  ),
  ...mutantsOf(
    'shared/expression/read-functions.ts',
    ['test/expression/read-expression.test.ts'],
    [
      {
        name: 'argument-named-twice',
        removes: 'a function has each argument once',
        find: 'if (argumentNames.has(argument)) {',
        replace: "if (argument === '') {",
      },
      {
        name: 'function-by-name-and-reference',
        removes: 'a call names exactly one function',
        find: "if (hasName === Object.hasOwn(fields, 'functionReference')) {",
        replace: "if (!hasName && !Object.hasOwn(fields, 'functionReference')) {",
      },
    ],
  ),
  ...mutantsOf(
    'shared/json.ts',
    ['test/message/job-message.test.ts', 'test/expression/read-expression.test.ts'],
    [
      {
        name: 'prototype-as-a-name',
        removes: '__proto__ is not a name',
        find: "name !== '__proto__' && name.isWellFormed()",
        replace: 'name.isWellFormed()',
      },
    ],
  ),
  ...mutantsOf(
    'shared/message/job-message.ts',
    ['test/message/job-message.test.ts'],
    [
      {
        name: 'request-size',
        removes: 'a request that Earth Engine does not read is rejected',
        find: 'if (bytes.length > REQUEST_BYTES) {',
        replace: 'if (bytes.length > 2 * REQUEST_BYTES) {',
      },
      {
        name: 'allowed-projects',
        removes: 'a job runs only in an allowed project',
        find: "typeof project === 'string' && !isAllowed(rules.allowedProjects, project)",
        replace: "typeof project !== 'string'",
      },
      {
        name: 'allowed-destinations',
        removes: 'a job writes only to an allowed destination',
        find: 'if (!isAllowed(rules.allowedDestinations, destination)) {',
        replace: "if (destination === '') {",
      },
      {
        name: 'one-destination',
        removes: 'a job has exactly one destination',
        find: 'if (given.length !== 1) {',
        replace: 'if (given.length === 0) {',
      },
      {
        name: 'own-prototype',
        removes: 'an own __proto__ of a record is rejected',
        find: "if (!Array.isArray(value) && Object.hasOwn(value, '__proto__')) {",
        replace: 'if (value === undefined) {',
      },
      {
        name: 'empty-workload-tag',
        removes: 'an empty workload tag is the same job as none',
        find: "workloadTag: workloadTag === '' ? undefined : workloadTag",
        replace: 'workloadTag',
        tests: ['test/message/job-message.test.ts', 'test/message/identity.test.ts'],
      },
      {
        name: 'rejected-job-without-record-id',
        removes: 'two rejected copies of one job count once',
        find: 'recordId: isNamed ? recordIdOf({ project, jobKey, attempt }) : undefined',
        replace: 'recordId: undefined',
      },
    ],
  ),
  ...mutantsOf(
    'shared/message/width.ts',
    ['test/message/job-message.test.ts'],
    [
      {
        name: 'too-many-members',
        removes: 'a wide message is rejected before each member is checked',
        find: 'if (members <= MAX_MEMBERS) {',
        replace: 'if (members <= 1e9) {',
      },
    ],
  ),
  ...mutantsOf(
    'shared/message/job-schema.ts',
    ['test/message/job-message.test.ts'],
    [
      {
        name: 'job-key-length',
        removes: 'a job key has at most 200 characters',
        find: 'text.length <= 400 && Array.from(text).length <= 200',
        replace: 'text.length <= 400',
      },
      {
        name: 'job-key-control-characters',
        removes: 'a job key has no control characters',
        find: String.raw`!/\p{Cc}/u.test(text)`,
        replace: 'text.length >= 0',
      },
      {
        name: 'batch-id-reserved',
        removes: 'a batch ID is a valid document ID',
        find: '(?!__.*__$)',
        replace: '',
        tests: ['test/message/job-schema.test.ts'],
      },
      {
        name: 'label-count',
        removes: 'a job has at most 16 labels',
        find: 'Object.keys(all).length <= 16',
        replace: 'Object.keys(all).length <= 17',
      },
      {
        name: 'bucket-part-length',
        removes: 'each part of a bucket name has at most 63 characters',
        find: 'part.length >= 1 && part.length <= 63',
        replace: 'part.length >= 1',
      },
      {
        name: 'prefix-line-breaks',
        removes: 'an object name has no line breaks',
        find: String.raw` && !/[\r\n]/.test(text)`,
        replace: '',
      },
      {
        name: 'prefix-length',
        removes: 'an object name has at most 1,024 bytes',
        find: String.raw`Buffer.byteLength(text) <= OBJECT_NAME_BYTES && !`,
        replace: 'text.length <= OBJECT_NAME_BYTES && !',
      },
      {
        name: 'max-pixels-int64',
        removes: 'maxPixelsPerFrame fits into 64 bits',
        find: 'digits.length === INT64_MAX.length && digits <= INT64_MAX',
        replace: 'digits.length === INT64_MAX.length',
      },
      {
        name: 'unpaired-surrogate',
        removes: 'text can be encoded in UTF-8',
        find: 'z.string(allowed).refine((text) => text.isWellFormed(),',
        replace: "z.string(allowed).refine((text) => typeof text === 'string',",
      },
    ],
  ),
  ...mutantsOf(
    'shared/message/envelope.ts',
    ['test/message/envelope.test.ts'],
    [
      {
        name: 'base64-compared',
        removes: 'text that is not base64 is not decoded to something else',
        find: "text === encoded || text === encoded.replace(/=+$/, '') ? decoded : undefined",
        replace: 'encoded.length >= 0 ? decoded : undefined',
      },
      {
        name: 'utf8-of-data',
        removes: 'bytes that are not UTF-8 are rejected',
        find: "text = new TextDecoder('utf-8', { fatal: true }).decode(envelope.data);",
        replace: "text = new TextDecoder('utf-8').decode(envelope.data);",
      },
      {
        name: 'original-publish-time',
        removes: 'a replayed manifest keeps the name of its run',
        find: "dateOf(push.message.attributes['originalPublishTime']) ?? push.message.publishTime",
        replace: 'push.message.publishTime',
      },
      {
        name: 'message-id-as-document-id',
        removes: 'a message with an odd ID can be recorded',
        find: "isDocumentId(messageId) ? messageId : `sha256-${hash('sha256', messageId, 'hex')}`",
        replace: 'messageId',
      },
      {
        name: 'unstorable-publish-time',
        removes: 'a publish time that cannot be stored is dropped',
        find: 'date && isTimestamp(date) ? date : undefined',
        replace: 'date',
      },
    ],
  ),
  ...mutantsOf(
    'shared/message/rejection.ts',
    ['test/message/rejection.test.ts', 'test/dead-letters/dead-letters.test.ts'],
    [
      {
        name: 'dead-letter-kept-twice',
        removes: 'a dead letter is not published to its own topic again',
        find: "reason !== 'DEAD_LETTER' && envelope.data.length > 0",
        replace: 'envelope.data.length > 0',
      },
      {
        name: 'reserved-attribute',
        removes: 'an attribute with a reserved name can be recorded',
        find: "isReserved(name) || name === '' ? `(${name})` : name",
        replace: 'name',
      },
      {
        name: 'recorded-data-size',
        removes: 'only the beginning of a rejected message is recorded',
        find: 'data.subarray(0, KEPT_DATA_BYTES)',
        replace: 'data',
      },
      {
        name: 'original-with-its-id',
        removes: 'the kept original names the document of its rejection',
        find: 'rejectedMessageId: messageId, reason',
        replace: 'reason',
      },
    ],
  ),
  ...mutantsOf(
    'shared/config.ts',
    ['test/config.test.ts'],
    [
      {
        name: 'timeout-below-lease',
        removes: 'the time for all sends of a claim is less than its lease',
        rule: 3,
        find: 'env.SUBMIT_TIMEOUT_SECONDS < env.SUBMIT_LEASE_SECONDS',
        replace: 'env.SUBMIT_TIMEOUT_SECONDS > 0',
      },
      {
        name: 'retry-range',
        removes: 'the first wait is not longer than the longest',
        find: 'env.RETRY_MIN_SECONDS <= env.RETRY_MAX_SECONDS',
        replace: 'env.RETRY_MIN_SECONDS > 0',
      },
      {
        name: 'token-over-http',
        removes: 'a token is never sent unencrypted to another machine',
        find: "(url.protocol === 'http:' && loopback.test(url.hostname))",
        replace: "url.protocol === 'http:'",
      },
      {
        name: 'zero-duration',
        removes: 'a duration is more than 0',
        find: 'value > 0',
        replace: 'value >= 0',
      },
      {
        name: 'wildcard-inside',
        removes: 'a pattern has * only at its end',
        find: "/^[^*]*\\*?$/.test(item) && item !== ''",
        replace: "item !== ''",
      },
      {
        name: 'exact-pattern',
        removes: 'a pattern without * matches only itself',
        find: ': text === pattern,',
        replace: ': text.startsWith(pattern),',
        tests: ['test/config.test.ts', 'test/message/job-message.test.ts'],
      },
    ],
  ),
  ...mutantsOf(
    'shared/message/rejection.ts',
    ['test/message/rejection.test.ts', 'test/dead-letters/dead-letters.test.ts'],
    [
      {
        name: 'original-lost-by-a-crash',
        removes: 'a redelivery keeps the original if the first delivery died before it did',
        find: 'if (isReadable(recorded) && recorded.value.owesOriginal) {',
        replace: "if ('created' in outcome && isReadable(recorded) && recorded.value.owesOriginal) {",
      },
    ],
  ),
  ...mutantsOf(
    'shared/config.ts',
    ['test/config.test.ts'],
    [
      {
        name: 'records-deleted-before-redelivery',
        removes: 'a record outlives every message that can create it again',
        find: '(days) => days >= 31,',
        replace: '(days) => days >= 1,',
      },
      {
        name: 'poll-range',
        removes: 'the shortest time between two checks is not longer than the longest',
        find: 'env.POLL_MIN_SECONDS <= env.POLL_MAX_SECONDS',
        replace: 'env.POLL_MIN_SECONDS > 0',
      },
      {
        name: 'no-operation-allowed',
        removes: 'a limit of zero does not stop every job',
        find: 'value >= 1,',
        replace: 'value >= 0,',
      },
      {
        name: 'loopback-in-a-name',
        removes: 'a name that begins like loopback is another machine',
        find: String.raw`|\[::1\])$/`,
        replace: String.raw`|\[::1\])/`,
      },
      {
        name: 'empty-variable',
        removes: 'a variable that is empty is not set',
        find: "value !== undefined && value !== ''",
        replace: 'value !== undefined',
      },
      {
        name: 'default-called-missing',
        removes: 'only a variable that is required is reported as missing',
        find: "code === 'invalid_type' && set[name]",
        replace: 'code && set[name]',
      },
      {
        name: 'real-buckets-of-a-local-stack',
        removes: 'a local stack does not look into real buckets',
        find: '(env.STORAGE_EMULATOR_HOST !== undefined || !isLocal(env))',
        replace: '!isLocal({ ...env, EARTHENGINE_EMULATOR_HOST: undefined })',
      },
      {
        name: 'drive-scope',
        removes: 'the Drive scope is requested if any pattern allows Drive',
        find: " || (pattern.endsWith('*') && 'drive:'.startsWith(pattern.slice(0, -1)))",
        replace: '',
      },
    ],
  ),
];

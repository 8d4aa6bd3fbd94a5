import { type Mutant, mutantsOf } from '../mutant.ts';

/** What a response of Earth Engine means, and what is read from it. */
export const earthEngine: readonly Mutant[] = [
  ...mutantsOf(
    'shared/earth-engine/errors.ts',
    ['test/earth-engine/errors.test.ts'],
    [
      {
        name: 'redirect',
        removes: 'a redirect says nothing about the outcome',
        rule: 4,
        find: 'if (httpStatus < 400) {',
        replace: 'if (httpStatus < 0) {',
      },
      {
        name: 'queue-full',
        removes: 'a full queue is recognized whatever its status',
        rule: 14,
        find: 'if (queueFull.test(body.reply)) {',
        replace: 'if (httpStatus === 429 && queueFull.test(body.reply)) {',
      },
      {
        name: 'rate-limit-with-403',
        removes: 'an exceeded rate is not a missing permission',
        find: ' || (httpStatus === 403 && body.rateLimited)',
        replace: '',
      },
      {
        name: 'already-started-by-status',
        removes: 'a 409 means that the ID was used before',
        rule: 6,
        find: 'if (used || httpStatus === 409) {',
        replace: 'if (used) {',
      },
      {
        name: 'already-started-by-message',
        removes: "Earth Engine's own message means that the ID was used before",
        rule: 6,
        find: 'const used = differentOperation.test(body.reply) || ',
        replace: 'const used = ',
      },
      {
        name: 'server-error',
        removes: 'a server error may have started an operation',
        rule: 4,
        find: 'httpStatus === 408 || httpStatus === 499 || httpStatus >= 500',
        replace: 'httpStatus === 408 || httpStatus === 499',
      },
      {
        name: 'proxy-answer',
        rule: 10,
        removes: "a proxy's error page is no verdict of Earth Engine",
        find: 'if (!body.fromGoogle) {',
        replace: 'if (!body.fromGoogle && httpStatus < 0) {',
      },
      {
        name: 'retry-after-bound',
        removes: 'Retry-After is at most a day',
        find: 'Math.min(DAY_MS, Number(header) * 1000)',
        replace: 'Number(header) * 1000',
      },
      {
        name: 'lost-connection-not-sent',
        removes: 'a connection that was lost may have delivered the request',
        rule: 4,
        find: "return syscall === 'connect' || notConnected.has(String(code));",
        replace: "return String(code).startsWith('E') || notConnected.has(String(code));",
      },
      {
        name: 'connection-refused',
        removes: 'a refused connection delivered nothing',
        find: "return syscall === 'connect' || notConnected.has(String(code));",
        replace: 'return notConnected.has(String(code));',
      },
      {
        name: 'bounded-page-text',
        removes: 'only the beginning of a page is searched for its title',
        find: 'const page = body.slice(0, MAX_PAGE_CHARACTERS);',
        replace: 'const page = body;',
      },
    ],
  ),
  ...mutantsOf(
    'shared/earth-engine/http.ts',
    ['test/earth-engine/client.test.ts'],
    [
      {
        name: 'follow-redirects',
        removes: 'a redirect takes the request and the token nowhere',
        find: "redirect: 'manual'",
        replace: "redirect: 'follow'",
      },
      {
        name: 'refused-token-kept',
        removes: 'a token that was refused is not used again',
        find: 'auth?.drop(token);',
        replace: '',
      },
      {
        name: 'endless-response',
        removes: 'a response is read up to a limit',
        find: 'if (bytes > limit) {',
        replace: 'if (bytes < 0) {',
        tests: ['test/earth-engine/errors.test.ts'],
      },
      {
        name: 'sent-after-abort',
        removes: 'an aborted call is not sent',
        rule: 3,
        find: 'if (deadline.signal.aborted) {',
        replace: 'if (deadline.signal === undefined) {',
      },
      {
        name: 'call-without-timeout',
        removes: 'a call is abandoned after its time',
        rule: 3,
        find: '      signal: deadline.signal,\n',
        replace: '',
        tests: ['test/earth-engine/errors.test.ts'],
      },
    ],
  ),
  ...mutantsOf(
    'shared/earth-engine/client.ts',
    ['test/earth-engine/client.test.ts'],
    [
      {
        name: 'operation-of-another-project',
        removes: 'an operation of another project is not recorded',
        find: 'if (isOfAnotherProject(started.name, project)) {',
        replace: "if (started.name === '') {",
      },
      {
        name: 'another-operation',
        removes: "another operation's end is not recorded as this one's",
        find: '!sameOperation(found.name, operation) || ',
        replace: '',
      },
      {
        name: 'page-token-dropped',
        removes: 'every page of a list is read',
        rule: 5,
        find: "pageToken === undefined ? '' : `&pageToken=${encodeURIComponent(pageToken)}`",
        replace: "''",
      },
      {
        name: 'account-failure-remembered',
        removes: 'the service account is looked up again after a failure',
        rule: 11,
        find: 'account = undefined;',
        replace: '',
        tests: ['test/earth-engine/credentials.test.ts'],
      },
    ],
  ),
  ...mutantsOf(
    'shared/earth-engine/operation.ts',
    ['test/earth-engine/operation.test.ts'],
    [
      {
        name: 'unreachable-locations',
        removes: 'a list that may be incomplete is no list',
        rule: 5,
        find: '!Array.isArray(unreachable) || unreachable.length > 0',
        replace: '!Array.isArray(unreachable)',
      },
      {
        name: 'dot-segments',
        removes: 'an operation name cannot lead to another address',
        find: String.raw`operations\/(?!\.{1,2}$)`,
        replace: String.raw`operations\/`,
      },
      {
        name: 'progress-range',
        removes: 'progress is from 0 to 1',
        find: 'Math.min(1, Math.max(0, progress))',
        replace: 'progress',
      },
      {
        name: 'start-in-1970',
        removes: 'the epoch is no start time',
        find: 'date.getTime() >= EARLIEST_TIME_MS && ',
        replace: '',
      },
      {
        name: 'unstorable-time',
        removes: 'a time after the year 9999 is not stored',
        find: ' && date.getTime() <= LATEST_TIME_MS',
        replace: '',
      },
      {
        name: 'error-message-size',
        removes: "an operation's error fits into a document",
        find: "truncate(text(error['message']) ?? '', MAX_MESSAGE_CHARACTERS)",
        replace: "text(error['message']) ?? ''",
      },
      {
        name: 'output-count',
        removes: "an operation's outputs fit into a document",
        find: 'uris.slice(0, MAX_URIS)',
        replace: 'uris',
      },
    ],
  ),
  ...mutantsOf(
    'shared/earth-engine/credentials.ts',
    ['test/earth-engine/credentials.test.ts'],
    [
      {
        name: 'newer-token-dropped',
        removes: 'a call that was refused with an old token keeps the new one',
        find: 'if (token === current) {',
        replace: 'if (token) {',
      },
      {
        name: 'failed-credentials-kept',
        removes: 'credentials are looked up again after a failure',
        find: '      // The library also remembers that it found no credentials.\n      credentials = undefined;',
        replace: '',
      },
    ],
  ),
  ...mutantsOf(
    'shared/earth-engine/errors.ts',
    ['test/earth-engine/errors.test.ts'],
    [
      {
        name: 'canceled-on-the-way',
        removes: 'a call that was canceled on the way may have started an operation',
        rule: 4,
        find: 'httpStatus === 408 || httpStatus === 499 || httpStatus >= 500',
        replace: 'httpStatus === 408 || httpStatus >= 500',
      },
    ],
  ),
];

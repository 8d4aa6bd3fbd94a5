import { describe, expect, it } from 'vitest';

import { codeInMessage, explain } from '../../cli/problem.ts';
import { ServiceError } from '../../shared/errors.ts';
import { idOf, createRig, type RigOptions } from './rig.ts';

/** What the clients throw, in the shape that they give it. */
const grpc = (code: number, message: string) => Object.assign(new Error(message), { code });
/** What the store makes of it. */
const storeFailed = (cause: Error) =>
  new ServiceError('STORE_FAILED', `Firestore did not find videoExports: ${cause.message}`, { cause });
const rejecting = (error: Error) => async (): Promise<never> => {
  throw error;
};
const failing = (error: Error): RigOptions => ({
  connect: () => ({ store: rejecting(error), publisher: rejecting(error) }),
});

/** Every error that a user can cause: the arguments, the environment, the exit code and the message. */
const mistakes: readonly (readonly [
  args: readonly string[],
  options: RigOptions,
  code: number,
  answer: RegExp,
])[] = [
  [['lsit'], {}, 2, /unknown command 'lsit'\n\(Did you mean list\?\)/],
  [['list', '--sate', 'x'], {}, 2, /unknown option '--sate'/],
  [['list', '--state', 'done'], {}, 2, /'done' is invalid\. Use one or more of submitting, waiting/],
  [['list', '--state', 'faild'], {}, 2, /one or more of .* lost \(did you mean failed\?\)\./],
  [['dead-letters', 'list', '--reason', 'DEAD_LETER'], {}, 2, /did you mean DEAD_LETTER\?/],
  [['list', '--since', 'yesterday'], {}, 2, /Use 90m, 12h, 7d, 2w or a date/],
  [['list', '--label', 'team'], {}, 2, /Use NAME=VALUE/],
  [['list', '--limit', '0'], {}, 2, /Use a whole number from 1 to 1000/],
  [['list', '--page', 'x'], {}, 2, /x is not a page token\. Pass the value that the previous list printed/],
  [['watch', '--every', '0'], {}, 2, /Use a number of seconds from 0\.1 to 3600/],
  [['stats', '--by', 'color'], {}, 2, /Use batch, month, shape or label:NAME/],
  [['submit'], {}, 2, /missing required argument 'FILE'/],
  [['submit', 'nowhere.json'], {}, 2, /Cannot read nowhere\.json: no such file\. Give a JSON file/],
  [['submit', 'docs'], {}, 2, /Cannot read docs: it is a folder/],
  [['submit', '-'], { stdin: '{' }, 2, /INVALID_DATA\n {2}data: .*JSON/],
  [['submit', '-'], { stdin: '' }, 2, /INVALID_DATA/],
  [['submit', '-'], { stdin: '{"request":{}}' }, 2, /INVALID_JOB(?:.|\n)*so nothing was published\. Fix/],
  [
    ['submit', 'docs/guides/weekly-batch.json'],
    {},
    2,
    /INVALID_JOB(?:.|\n)*looks like a batch manifest; to publish one, use batch run/,
  ],
  [
    ['batch', 'run', 'infra/local/examples/africa-ndvi.json'],
    {},
    2,
    /INVALID_MANIFEST(?:(?!batch run)(?:.|\n))*looks like a job message; to publish one, use submit/,
  ],
  [
    ['list'],
    { environment: {} },
    2,
    /No service is chosen\. Start one on this machine with npm start, or choose a deployed one/,
  ],
  [
    ['list'],
    { environment: { GOOGLE_CLOUD_PROJECT: 'A b' } },
    2,
    /GOOGLE_CLOUD_PROJECT must be a Google Cloud project/,
  ],
  [['list', '--project', 'A b'], {}, 2, /GOOGLE_CLOUD_PROJECT must be/],
  [
    ['show', 'nothing'],
    {},
    1,
    /Nothing found for nothing: no record, job key, batch, or rejected message\..* run list/,
  ],
  [['watch', 'nothing'], {}, 1, /Nothing found for nothing: no record, job key, or batch\..* run list/],
  [['watch', '--batch', 'nothing@1'], {}, 1, /Nothing found for nothing@1: no batch\..* batch list/],
  [['watch', 'a', '--batch', 'b'], {}, 2, /Give either ids or --batch, not both/],
  [['cancel'], {}, 2, /Give something to cancel: record ids, job keys, or batches/],
  [['cancel', 'las-vegas/2020'], {}, 1, /Nothing found for las-vegas\/2020: .*add --ahead/],
  [['cancel', 'a/b', '--ahead'], {}, 2, /Cannot cancel a\/b ahead: give .*--job-key or --batch/],
  [['show', 'a', '--format', 'csv'], {}, 2, /show has no table to write as CSV\. Use --format json/],
  [['list', '--format', 'xml'], {}, 2, /Allowed choices are table, json, csv/],
  [['resume', 'x'], {}, 1, /Nothing found for x: no record, job key, or Earth Engine project with waiting/],
  [['batch', 'show', 'x'], {}, 1, /Nothing found for x: no batch/],
  [['open', 'x'], {}, 1, /Nothing found for x/],
  [['retry'], {}, 2, /Give exactly one of: record ids, job keys, or batches; --batch; --label/],
  [['retry', 'a', '--batch', 'b'], {}, 2, /exactly one of/],
  [
    ['list'],
    failing(new Error('Could not load the default credentials. Browse to …')),
    1,
    /No Google Cloud credentials found\. Run gcloud auth/,
  ],
  [
    ['list'],
    failing(grpc(16, '16 UNAUTHENTICATED: invalid')),
    1,
    /refused the credentials\. Run gcloud auth/,
  ],
  [
    ['list'],
    failing(new Error('Unable to read the credential file specified by …')),
    1,
    /Cannot use the credentials file/,
  ],
  [
    ['list'],
    failing(grpc(7, '7 PERMISSION_DENIED: Missing permission x.y.z')),
    1,
    /lack a permission \(Missing permission x\.y\.z\)\. Run npx ee-video-exports doctor/,
  ],
  [
    ['list'],
    failing(grpc(5, '5 NOT_FOUND: The database (default) does not exist')),
    1,
    /database \(default\) does not exist\. Check that GOOGLE_CLOUD_PROJECT/,
  ],
  [
    ['list', '--label', 'a=b'],
    failing(storeFailed(grpc(9, '9 FAILED_PRECONDITION: The query requires an index'))),
    1,
    /no index for this query \(The query requires an index\).*indexed_labels/,
  ],
  [
    ['list'],
    failing(grpc(14, '14 UNAVAILABLE: No connection established')),
    1,
    /No response from .* \(No connection established\)\. Check the network/,
  ],
  [
    ['list'],
    failing(grpc(14, '14 UNAVAILABLE: connect ECONNREFUSED 127.0.0.1:1')),
    1,
    /Nothing is listening at 127\.0\.0\.1:1\. Start the emulators/,
  ],
  [
    ['list'],
    failing(storeFailed(grpc(7, '7 PERMISSION_DENIED: Missing permission x.y.z'))),
    1,
    /lack a permission \(Missing permission x\.y\.z\)\./,
  ],
  [
    ['list'],
    failing(new ServiceError('STORE_TIMEOUT', 'Firestore did not find videoExports within 10000 ms')),
    1,
    /No response from .* \(Firestore did not find videoExports within 10000 ms\)\. Check the network/,
  ],
  [
    ['list'],
    failing(Object.assign(new TypeError('fetch failed'), { code: 'ECONNREFUSED' })),
    1,
    /Nothing is listening\. Start the emulators/,
  ],
  [['list'], failing(new Error('boom')), 1, /Unexpected error: boom\. Retry with --debug/],
];

describe('an error message describes what to do next', () => {
  it.each(mistakes)('%s %o', async (args, options, code, answer) => {
    const ran = await createRig(options).run(...args);
    expect({ code: ran.code, out: ran.out }).toEqual({ code, out: '' });
    expect(ran.err).toMatch(answer);
    expect(ran.err).not.toMatch(/^ {4}at /m);
  });

  it('--debug adds the stack with its causes', async () => {
    const cause = new Error('the cause');
    const { err } = await createRig(failing(new Error('boom', { cause }))).run('list', '--debug');
    expect(err).toMatch(/boom.*\n(?: {4}at .*\n)+caused by Error: the cause\n(?: {4}at .*\n)+/);
  });

  it('--json prints the error as JSON', async () => {
    const { err } = await createRig().run('show', idOf('z'), '--json');
    expect(JSON.parse(err)).toMatchObject({ error: { code: 'NOT_FOUND' } });
  });

  it('names a missing topic', async () => {
    const error = new Error('publishing to video-export-jobs failed', {
      cause: grpc(5, '5 NOT_FOUND: Topic not found'),
    });
    const rig = createRig({
      connect: () => ({
        publisher: async () => ({
          publish: async (_topic, messages) => messages.map(() => ({ error })),
          close: async () => {},
        }),
      }),
    });
    const { code, err } = await rig.run('submit', 'infra/local/examples/africa-ndvi.json');
    expect(code).toBe(1);
    expect(err).toBe(
      "ee-video-exports: 0 of 1 message published: there is no topic video-export-jobs in demo-ee. Check that this is the service's project (GOOGLE_CLOUD_PROJECT).\nService: project demo-ee, database (default)\n",
    );
  });

  it('explains a thrown value that is not an Error', () => {
    expect(explain('not an Error').message).toContain('not an Error');
  });
});

describe("a cause that Google's clients report only in the message", () => {
  it.each([
    ['Could not load the default credentials. Browse to https://cloud.google.com/…', 'NO_CREDENTIALS'],
    ['Unable to read the credential file specified by the …', 'CREDENTIALS_UNREADABLE'],
    ['The incoming JSON object does not contain a client_email field', 'CREDENTIALS_UNREADABLE'],
    ['Getting metadata from plugin failed with error: invalid_grant', 'CREDENTIALS_REFUSED'],
    ['reauth related error (invalid_rapt)', 'CREDENTIALS_REFUSED'],
    ['No connection established. Last error: connect ECONNREFUSED 127.0.0.1:8080', 'NOT_RUNNING'],
    ['Total timeout of API google.firestore exceeded', undefined],
  ])('%s', (message, code) => {
    expect(codeInMessage(message)).toBe(code);
  });
});

import { type Mutant, mutantsOf } from '../mutant.ts';

const context = ['test/cli/context.test.ts'];
const submit = ['test/cli/submit.test.ts'];

/** The command line, and how it reaches the local service. */
export const commandLine: readonly Mutant[] = [
  ...mutantsOf('cli/service/service.ts', context, [
    {
      name: 'half-local-service',
      removes: 'a command with only one emulator reaches no real project',
      find: "if (Boolean(firestore) !== Boolean(pubsub) || (environment['EARTHENGINE_EMULATOR_HOST'] && !firestore)) {",
      replace: 'if (false) {',
    },
    {
      name: 'context-mixed-with-shell',
      removes: 'a context is used as a whole',
      find: '.filter(([variable]) => !(addresses as readonly string[]).includes(variable)),',
      replace: '.filter(() => true),',
    },
    {
      name: 'context-before-shell',
      removes: 'variables of a terminal win over the context in use',
      find: 'if (set.length > 0) {',
      replace: 'if (false) {',
    },
    {
      name: 'stopped-service-ignored',
      removes: 'commands for a stopped local service reach no other one',
      find: 'if (!context.running) {',
      replace: 'if (!context.running) {\n    return {};',
    },
    {
      name: 'context-and-project',
      removes: 'a context and a project together are refused',
      find: 'if (given !== undefined && project !== undefined) {',
      replace: 'if (false) {',
    },
  ]),
  ...mutantsOf('cli/service/service-config.ts', context, [
    {
      name: 'rules-of-the-shell',
      removes: 'the rules for jobs come from the service',
      find: "    allowedDestinations: known(\n      'ALLOWED_DESTINATIONS',\n      config.allowedDestinations,\n      settings?.allowedDestinations,",
      replace:
        "    allowedDestinations: known(\n      'ALLOWED_DESTINATIONS',\n      config.allowedDestinations,\n      undefined,",
    },
  ]),
  ...mutantsOf('cli/actions/submit.ts', submit, [
    {
      name: 'submit-despite-mistakes',
      removes: 'nothing is published if one message has a mistake',
      find: 'if (jobs.length < checked.length) {',
      replace: 'if (jobs.length === 0) {',
    },
    {
      name: 'submit-despite-conflicts',
      removes: 'a changed job under the same key is refused',
      find: "if (submissions.some(({ existing: { kind } }) => kind === 'OTHER')) {",
      replace: 'if (false) {',
    },
    {
      name: 'failed-job-reported-as-done',
      removes: 'the exit code says that a job is there that ended without success',
      find: 'return submissions.some(hasFailed) ? exitCodes.UNSUCCESSFUL : exitCodes.DONE;',
      replace: 'return exitCodes.DONE;',
    },
    {
      name: 'job-published-again',
      removes: 'a job that is there already is not published again',
      find: "return existing.kind !== 'SAME' || (batchId !== undefined && !isOfBatch(existing.own, batchId));",
      replace: 'return true;',
    },
  ]),
  ...mutantsOf(
    'cli/attempts.ts',
    ['test/cli/list.test.ts', 'test/cli/frames.test.ts'],
    [
      {
        name: 'every-attempt-counts',
        removes: 'a job counts once, by its latest attempt',
        find: '.map((state) => [state, (all[state] ?? 0) - (replaced[state] ?? 0)] as const)',
        replace: '.map((state) => [state, all[state] ?? 0] as const)',
      },
    ],
  ),
  ...mutantsOf(
    'cli/actions/cancel.ts',
    ['test/cli/batch.test.ts', 'test/cli/targets.test.ts'],
    [
      {
        name: 'dry-run-cancels',
        removes: 'cancel --dry-run cancels nothing',
        find: 'if (options.dryRun) {',
        replace: 'if (false) {',
      },
      {
        name: 'batch-canceled-unasked',
        removes: 'a person is asked before a whole batch is canceled',
        find: 'if (yes || batches.length === 0 || !cli.confirm) {',
        replace: 'if (true) {',
      },
      {
        name: 'mistyped-name-canceled-ahead',
        removes: 'a name for which nothing exists is not canceled ahead',
        find: 'targets.push(target ?? (await nothingFor(cli, id)));',
        replace: "targets.push(target ?? { kind: 'JOB', id, attempts: [] });",
      },
    ],
  ),
  ...mutantsOf(
    'cli/screen.ts',
    ['test/cli/frames.test.ts', 'test/cli/screen.test.ts'],
    [
      {
        name: 'failures-in-a-full-bar',
        removes: 'a full bar never means that something failed',
        find: "return '█'.repeat(filled) + '×'.repeat(failed) + '░'.repeat(width - filled - failed);",
        replace: "return '█'.repeat(filled + failed) + '░'.repeat(width - filled - failed);",
      },
    ],
  ),
  ...mutantsOf(
    'cli/output.ts',
    ['test/cli/targets.test.ts', 'test/cli/report.test.ts'],
    [
      {
        name: 'formulas-in-csv',
        removes: 'a spreadsheet runs no cell of a CSV file',
        find: "const safe = /^[=+\\-@\\t\\r]/.test(text) ? `'${text}` : text;",
        replace: 'const safe = text;',
      },
    ],
  ),
  ...mutantsOf(
    'cli/actions/check.ts',
    ['test/cli/check.test.ts'],
    [
      {
        name: 'check-always-succeeds',
        removes: 'the exit code of check says that there is an error',
        find: 'return isWrong ? exitCodes.WRONG_INPUT : exitCodes.DONE;',
        replace: 'return exitCodes.DONE;',
      },
    ],
  ),
  ...mutantsOf(
    'infra/local/embedded/api.ts',
    ['test/infra/local/embedded/api.test.ts'],
    [
      {
        name: 'embedded-service-open-to-pages',
        removes: 'no web page can call the service of npm start',
        find: "incoming.headers['content-type'] !== WIRE_TYPE || ",
        replace: '',
      },
    ],
  ),
  ...mutantsOf(
    'infra/local/embedded/broker.ts',
    ['test/infra/local/embedded/broker.test.ts'],
    [
      {
        name: 'embedded-without-dead-letters',
        removes: 'a message that is never handled becomes a dead letter',
        find: 'if (attempt >= MAX_ATTEMPTS && deadLetters !== undefined) {',
        replace: 'if (attempt >= MAX_ATTEMPTS) {\n          return;\n        }\n        if (false) {',
      },
    ],
  ),
];

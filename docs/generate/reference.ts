import type { Command } from 'commander';
import { z } from 'zod';

import { exitCodeMeanings } from '../../cli/exit-codes.ts';
import { createProgram } from '../../cli/program.ts';
import { budgetSchema, budgetStatusSchema } from '../../shared/model/budget.ts';
import { batchSchema } from '../../shared/model/batch.ts';
import { manifestSchema } from '../../shared/batch/manifest-schema.ts';
import { cancellationSchema } from '../../shared/cancellation/cancellation-schema.ts';
import { knownFailures } from '../../shared/earth-engine/task-failures.ts';
import { environmentSchema, readConfig } from '../../shared/config.ts';
import { jobMessageSchema } from '../../shared/message/job-schema.ts';
import { projectStatusSchema } from '../../shared/model/project-status.ts';
import { rejectedMessageSchema } from '../../shared/model/rejected-message.ts';
import { serviceSettingsSchema } from '../../shared/model/service-settings.ts';
import { recordSchema } from '../../shared/model/record.ts';
import { type FieldRow, fieldsOf, jsonOf, meaningOf, typeOf } from './fields.ts';

/** docs/reference.md, from the schemas with which the service parses. */
export function renderReference(): string {
  return `${[
    '# Reference',
    '`npm run docs` generates this page from the schemas in the code. JSON schemas for editors are in [schemas](schemas).',
    ...jobMessage(),
    ...manifest(),
    ...cancellation(),
    ...record(),
    ...batch(),
    ...budget(),
    ...rejectedMessage(),
    ...project(),
    ...serviceSettings(),
    ...events(),
    ...taskFailures(),
    ...environment(),
    ...commandLine(),
  ].join('\n\n')}\n`;
}

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(header), `|${header.map(() => '---').join('|')}|`, ...rows.map(line)].join('\n');
}

const messageTable = (rows: readonly FieldRow[]): string =>
  table(
    ['field', 'type', '', 'meaning'],
    rows.map(({ path, type, isRequired, description }) => [
      `\`${path}\``,
      type,
      isRequired ? 'required' : '',
      description,
    ]),
  );

function jobMessage(): string[] {
  return [
    '## Job message',
    'JSON in UTF-8, published to `JOBS_TOPIC`. Unknown fields are errors. Whole numbers can also have the form of the Python client, `{"value": n}`.',
    messageTable(fieldsOf(jobMessageSchema(z.unknown()), 'input', ['request.expression'])),
  ];
}

function manifest(): string[] {
  return [
    '## Batch manifest',
    'Published to `BATCHES_TOPIC`. See [a weekly batch](guides/weekly-batch.md).',
    messageTable(fieldsOf(manifestSchema, 'input')),
  ];
}

function cancellation(): string[] {
  return [
    '## Cancellation',
    'Published to `CANCELLATIONS_TOPIC`, with exactly one of `recordId`, `jobKey`, and `batchId`.',
    messageTable(fieldsOf(cancellationSchema, 'input')),
  ];
}

function record(): string[] {
  return [
    '## Record',
    '`videoExports/{recordId}`: one attempt at one job. A field without states is in all of them; `?` marks a field that can be absent.',
    table(['field', 'type', 'in states', 'meaning'], recordRows()),
    'The request as it is sent is stored in `videoExports/{recordId}/request/{n}`, compressed. `npx ee-video-exports show ID --request` prints it.',
  ];
}

/** Each field once, from all states. */
function recordRows(): string[][] {
  const variants = jsonOf(recordSchema, 'output').oneOf ?? [];
  const states = variants.map(({ properties }) => String(properties?.['state']?.const));
  // From the last state back: what readers look for comes first, and the protocol's own memory last.
  const names = new Set([
    'state',
    ...variants.toReversed().flatMap(({ properties = {} }) => Object.keys(properties)),
  ]);
  return Array.from(names, (name) => {
    const holders = variants.filter(({ properties }) => properties?.[name]);
    const fields = holders.map(({ properties = {} }) => properties[name] ?? {});
    const types = new Set(fields.map(typeOf));
    const isOptional = holders.some(({ required }) => !required?.includes(name));
    const within =
      holders.length === variants.length
        ? ''
        : namesOf(states.filter((_, i) => holders.includes(variants[i] ?? {})));
    return [
      `\`${name}\`${isOptional ? '?' : ''}`,
      name === 'state' ? namesOf(states) : name === 'error' ? 'error' : [...types].join(' or '),
      within,
      meaningOf(name, fields),
    ];
  });
}

const namesOf = (states: readonly string[]): string => states.map((state) => `\`${state}\``).join(' ');

function documentTable(schema: z.ZodType): string {
  const rows = fieldsOf(schema, 'output').filter(({ path }) => !path.includes('.'));
  return table(
    ['field', 'type', 'meaning'],
    rows.map((row) => [`\`${row.path}\`${row.isRequired ? '' : '?'}`, row.type, meaningOf(row.path, [row])]),
  );
}

const batch = (): string[] => [
  '## Batch',
  '`videoExportBatches/{batchId}@{run}`: one run of a manifest.',
  documentTable(batchSchema),
];

const budget = (): string[] => [
  '## Budget',
  '`exportBudgets/{id}`: how much Earth Engine compute some jobs may use. Operators write it, with `budget set` or any Firestore client. See [budgets](guides/budgets.md).',
  messageTable(fieldsOf(budgetSchema, 'input')),
  '`exportBudgetStatus/current`: what was spent of each budget, as the last poll summed it from the records.',
  documentTable(budgetStatusSchema),
];

const rejectedMessage = (): string[] => [
  '## Rejected message',
  '`rejectedMessages/{messageId}`: a message that never became a job.',
  documentTable(rejectedMessageSchema),
];

const serviceSettings = (): string[] => [
  '## Settings for clients',
  '`videoExportSettings/service`: the settings that senders of messages need. The poller writes it when it starts, if something changed. The command line reads it, checks messages by these rules, and publishes to these topics.',
  documentTable(serviceSettingsSchema),
];

const project = (): string[] => [
  '## Project',
  '`videoExportProjects/{project}`: whether an Earth Engine project accepts jobs, and in which mode it runs them. It exists once a project has had a problem.',
  documentTable(projectStatusSchema),
];

const events = (): string[] => [
  '## Events',
  'Published to `EVENTS_TOPIC` when a record changes its state (except to `SUBMITTING`), stalls, or has an extra operation: the record as JSON, with times in ISO 8601. Delivery is at least once; deduplicate by `eventId`. Attributes:',
  table(
    ['attribute', 'meaning'],
    [
      ['`eventId`', '`{recordId}:{revision}:{state}`'],
      [
        '`kind`',
        '`STATE`, `STALLED` (no sign of life), `EXTRA_OPERATION` (a duplicate operation was detected)',
      ],
      ['`recordId`, `state`, `project`', 'From the record'],
      ['`jobKey`, `batchId`', 'From the record, if it has them'],
    ],
  ),
  'The event of a finished batch is its document as JSON, with the attributes `kind` = `BATCH`, `batchId`, `state`, and `eventId` = `{batchId}:{revision}:{state}`.',
  'When a threshold of a budget is reached, the event is `{"budgetId", "period", "percent", "action", "spentEecuSeconds", "limitEecuHours", "at"}`, with the attributes `kind` = `BUDGET`, `budgetId`, `action`, and `eventId` = `budget:{budgetId}:{period}:{limitEecuHours}:{percent}:{action}`.',
  'When Earth Engine begins or ends to run fewer exports of a project at once, because its quota of the month is used up, the event is `{"project", "state", "at"}`, with the attributes `kind` = `PROJECT`, `project`, `state` = `RESTRICTED` or `UNRESTRICTED`, and `eventId` = `{project}:{at}:{state}`.',
];

function taskFailures(): string[] {
  return [
    '## Failed tasks',
    'What `error.retryable` and `error.advice` follow from if Earth Engine fails a task. With code 3 (`INVALID_ARGUMENT`) and another message, the request is wrong. Any other message has an unknown cause; `retry` skips it without `--force`.',
    table(
      ['message', 'can a retry succeed?', 'what to do', 'source'],
      knownFailures.map(({ example, retryable, advice, source }) => [
        `\`${example}\``,
        retryable ? 'yes' : 'no',
        advice,
        source,
      ]),
    ),
  ];
}

function environment(): string[] {
  const { properties = {} } = jsonOf(environmentSchema, 'input');
  const { earthEngineProject, allowedDestinations } = readConfig({ GOOGLE_CLOUD_PROJECT: 'project' });
  // The default of two variables is another variable, and a list is shown as people set it.
  const written: Readonly<Record<string, string>> = {
    EARTHENGINE_PROJECT: earthEngineProject === 'project' ? '`GOOGLE_CLOUD_PROJECT`' : '',
    ALLOWED_PROJECTS: '`EARTHENGINE_PROJECT`',
    ALLOWED_DESTINATIONS: `\`${allowedDestinations.join(',')}\``,
  };
  return [
    '## Environment',
    'The functions read these variables once, at start, and do not start if a value is invalid. The command line reads the same variables.',
    table(
      ['variable', 'default', 'meaning'],
      Object.entries(properties).map(([name, field]) => {
        const standard = (field as { default?: string }).default;
        return [
          `\`${name}\``,
          written[name] ?? (standard === undefined ? '' : `\`${standard}\``),
          field.description ?? '',
        ];
      }),
    ),
  ];
}

function commandLine(): string[] {
  const program = createProgram(
    {
      terminal: {
        out: () => {},
        err: () => {},
        isInteractive: false,
        columns: 80,
        rows: 24,
        hasColor: false,
      },
      clock: { now: () => new Date(0), sleep: () => Promise.resolve() },
    },
    () => Promise.resolve(),
  );
  const leaves = (command: Command): Command[] =>
    command.commands.length === 0 ? [command] : command.commands.flatMap(leaves);
  return [
    '## Command line',
    '`npx ee-video-exports COMMAND --help` prints these. Every command accepts `--context`, `--project`, `--json`, `--format`, `--quiet`, and `--debug`. With `--json`, `list` prints one object with all of its records, and a command that does one thing for each of several jobs prints one value per line.',
    table(
      ['exit code', 'meaning'],
      Object.entries(exitCodeMeanings).map(([code, meaning]) => [code, meaning]),
    ),
    ...leaves(program).map((command) => `\`\`\`text\n${helpOf(command)}\n\`\`\``),
  ];
}

/** Without the options that all commands have. */
function helpOf(command: Command): string {
  return command
    .configureHelp({ showGlobalOptions: false })
    .helpInformation()
    .replace(/^ +-h, --help.*\n/m, '')
    .replace(/^Options:\n(?=\n|$)/m, '')
    .trim();
}

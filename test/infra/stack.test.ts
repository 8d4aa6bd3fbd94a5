import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { describe, expect, it } from 'vitest';

import { collections } from '../../shared/store/collections.ts';
import * as lists from '../../shared/store/list-queries.ts';
import * as queriesInUse from '../../shared/store/queries.ts';
import type { Query } from '../../shared/store/queries.ts';
import * as check from './checks.ts';
import { exemptionProblems, indexProblems, neededIndex, type NamedQuery } from './indexes.ts';
import { at, readStack, root, type Stack, withChange } from './stack.ts';

const stack = await readStack();
const read = (file: string) => readFile(join(root, file), 'utf8');
const [example, deployerText, guide] = await Promise.all(
  ['infra/terraform.tfvars.example', 'infra/deployer.tf', 'infra/OPERATIONS.md'].map(read),
);

/** The service's own code: what may log, query and publish. */
async function readSource(): Promise<string> {
  const files = await Promise.all(
    ['shared', 'functions', 'cli'].map(async (directory) => {
      const names = await readdir(join(root, directory), { recursive: true });
      return names.filter((name) => name.endsWith('.ts')).map((name) => join(directory, name));
    }),
  );
  return (await Promise.all(files.flat().map(read))).join('\n');
}
const source = await readSource();

/** Which fields the database sums, by query: `documents.sum(query, field)`. */
const sums: Readonly<Record<string, readonly string[]>> = { terminalOfBatch: ['eecuSeconds'] };

function queriesOf(
  collection: string,
  queries: Readonly<Record<string, (...values: never[]) => Query>>,
): NamedQuery[] {
  return Object.entries(queries).flatMap(([name, make]) => {
    // The values do not matter to an index, only the fields.
    const query = (make as (...values: unknown[]) => Query)('value', ['value'], 'value');
    return [undefined, ...(sums[name] ?? [])].map((summed) => ({ name, collection, query, summed }));
  });
}
const querySets = {
  videoExports: [queriesInUse.recordQueries, lists.listQueries],
  videoExportBatches: [queriesInUse.batchQueries, lists.batchListQueries],
  rejectedMessages: [queriesInUse.rejectedMessageQueries, lists.rejectedMessageListQueries],
};
const queries = Object.entries(querySets).flatMap(([collection, sets]) =>
  sets.flatMap((set) => queriesOf(collection, set)),
);

const expiring = [
  ...Object.values(collections)
    .filter(({ schema }) => JSON.stringify(shapeOf(schema)).includes('expireAt'))
    .map(({ path }) => path),
  // Not a collection of its own: the parts of a request, beside its record.
  'request',
];

function shapeOf(schema: object): string[] {
  if ('shape' in schema) return Object.keys(schema.shape as object);
  if ('options' in schema) return (schema.options as object[]).flatMap(shapeOf);
  throw new Error('A collection is neither an object nor a union of objects');
}

type Check = (stack: Stack) => string[];

const checks = {
  environment: check.environmentProblems,
  defaults: check.defaultProblems,
  targets: check.targetProblems,
  accounts: check.accountProblems,
  timeouts: check.timeoutProblems,
  deadLetters: check.deadLetterProblems,
  ingress: check.ingressProblems,
  database: check.databaseProblems,
  unused: (stack) => check.unusedProblems(stack, example ?? ''),
  roles: (stack) => check.roleProblems(stack, deployerText ?? ''),
  expiry: (stack) => check.expiryProblems(stack, expiring),
  indexes: (stack) => indexProblems(stack, queries),
  exemptions: (stack) => exemptionProblems(stack, queries),
  monitoring: (stack) => check.monitoringProblems(stack, source, guide ?? ''),
} satisfies Record<string, Check>;

describe('the stack and the code agree', () => {
  it.each(Object.entries(checks))('%s', (_name, check) => {
    expect(check(stack)).toEqual([]);
  });

  it('every query of the code is looked at', () => {
    const sets = Object.values({ ...queriesInUse, ...lists }).filter((value) => typeof value === 'object');
    expect(new Set(Object.values<object[]>(querySets).flat())).toEqual(new Set(sets));
  });

  it('a label that is indexed answers the query for it', () => {
    const needed = neededIndex(lists.newestOfLabel('team', 'water'));
    expect(needed).toEqual({ equal: ['labels.team'], ordered: ['createdAt desc'] });
    expect(at(stack.locals, 'indexes')).toContain('"labels.${label}", "createdAt desc"');
  });

  it('every sum that the code asks for is known here', () => {
    const summed = [...source.matchAll(/\.sum\([^;]*?'(\w+)'\)/g)].map(([, field]) => field);
    expect([...new Set(Object.values(sums).flat())]).toEqual(expect.arrayContaining(summed));
  });
});

const push = ['resources', 'google_pubsub_subscription.push'];
const functions = ['locals', 'functions'];

describe('a mistake is found', () => {
  it.each<[string, keyof typeof checks, readonly (string | number)[], unknown, RegExp]>([
    [
      'a setting is not passed on',
      'environment',
      ['locals', 'environment', 'RETENTION_DAYS'],
      undefined,
      /lacks RETENTION_DAYS/,
    ],
    [
      'an unknown setting',
      'environment',
      ['locals', 'environment', 'COLOUR'],
      '${var.colour}',
      /COLOUR, which the code/,
    ],
    [
      'an emulator in the cloud',
      'environment',
      ['locals', 'environment', 'PUBSUB_EMULATOR_HOST'],
      '${var.x}',
      /PUBSUB_EMULATOR_HOST/,
    ],
    [
      'a setting nobody can set',
      'environment',
      ['locals', 'environment', 'STALLED_HOURS'],
      '24',
      /STALLED_HOURS cannot be set/,
    ],
    [
      'error messages in answers',
      'environment',
      ['locals', 'node_environment', 'NODE_ENV'],
      undefined,
      /lacks NODE_ENV/,
    ],
    [
      'another default',
      'defaults',
      ['variables', 'topics', 'type'],
      '${object({\n jobs = optional(string, "jobs")\n})}',
      /JOBS_TOPIC is jobs/,
    ],
    [
      'an unused variable',
      'unused',
      ['variables', 'colour'],
      { description: 'x' },
      /var\.colour is used nowhere/,
    ],
    [
      'a function that is not deployed',
      'targets',
      [...functions, 'expandBatch'],
      undefined,
      /local\.functions lacks expandBatch/,
    ],
    ['a target that does not exist', 'targets', [...functions, 'submitExports'], {}, /submitExports/],
    [
      'a topic without its push',
      'targets',
      ['locals', 'pushes', 'cancelExports'],
      undefined,
      /pushes lacks cancelExports/,
    ],
    [
      'two callers to Earth Engine',
      'accounts',
      ['locals', 'runs_as', 'pollExports'],
      'expandBatch',
      /different callers/,
    ],
    [
      'an account for two',
      'accounts',
      ['locals', 'runs_as', 'recordDeadLetter'],
      'expandBatch',
      /shares an account/,
    ],
    ['a short acknowledgement deadline', 'timeouts', [...push, 'ack_deadline_seconds'], 60, /may outlast/],
    [
      'another acknowledgement deadline',
      'timeouts',
      [...push, 'ack_deadline_seconds'],
      590,
      /is 590 seconds/,
    ],
    [
      'a long function',
      'timeouts',
      [...functions, 'expandBatch', 'timeout_seconds'],
      900,
      /expandBatch may outlast/,
    ],
    [
      'a submit beyond its lease',
      'timeouts',
      [...functions, 'submitExport', 'timeout_seconds'],
      300,
      /after its lease/,
    ],
    [
      'a submit cut short',
      'timeouts',
      [...functions, 'submitExport', 'timeout_seconds'],
      60,
      /while it sends/,
    ],
    [
      'a poll cut short',
      'timeouts',
      [...functions, 'pollExports', 'timeout_seconds'],
      240,
      /before its budget/,
    ],
    [
      'no dead-letter policy',
      'deadLetters',
      [...push, 'dynamic', 'dead_letter_policy'],
      undefined,
      /no dead-letter policy/,
    ],
    [
      'messages that die unseen',
      'deadLetters',
      ['locals', 'pushes', 'submitExport', 'dead_letters'],
      false,
      /die unseen/,
    ],
    [
      'dead letters in a circle',
      'deadLetters',
      ['locals', 'pushes', 'recordDeadLetter', 'dead_letters'],
      true,
      /come back/,
    ],
    [
      'dead messages not kept',
      'deadLetters',
      ['resources', 'google_pubsub_subscription.dead_letters'],
      undefined,
      /nothing keeps/,
    ],
    [
      'Pub/Sub without its grant',
      'deadLetters',
      ['resources', 'google_pubsub_topic_iam_member.dead_letters'],
      undefined,
      /Pub\/Sub lacks/,
    ],
    [
      'functions open to the internet',
      'ingress',
      ['resources', 'google_cloudfunctions2_function.this', 'service_config', 0, 'ingress_settings'],
      'ALLOW_ALL',
      /answer the internet/,
    ],
    [
      'pushes without a token',
      'ingress',
      [...push, 'push_config', 0, 'oidc_token'],
      undefined,
      /carry no token/,
    ],
    [
      'no delete protection',
      'database',
      ['resources', 'google_firestore_database.this', 'delete_protection_state'],
      undefined,
      /delete protection/,
    ],
    [
      'no recovery',
      'database',
      ['resources', 'google_firestore_database.this', 'point_in_time_recovery_enablement'],
      undefined,
      /recovery/,
    ],
    [
      'everybody may call',
      'roles',
      ['resources', 'google_cloud_run_v2_service_iam_member.invoker', 'member'],
      'allUsers',
      /open to everybody/,
    ],
    ['a binding that takes away', 'roles', ['resources', 'google_project_iam_binding.x'], {}, /takes away/],
    [
      'more rights at Earth Engine',
      'roles',
      ['locals', 'earth_engine_permissions', 'sender', 4],
      'earthengine.assets.delete',
      /assets\.delete/,
    ],
    [
      'a project-wide grant on records',
      'roles',
      ['resources', 'google_project_iam_member.records', 'condition'],
      undefined,
      /reach every database/,
    ],
    [
      'a builder that reads every bucket',
      'roles',
      ['resources', 'google_project_iam_member.builder_source', 'condition'],
      undefined,
      /reads every bucket/,
    ],
    [
      'documents that never go',
      'expiry',
      ['locals', 'expiring'],
      '${toset(["videoExports"])}',
      /lacks .*rejectedMessages/,
    ],
    [
      'no TTL',
      'expiry',
      ['resources', 'google_firestore_field.expire_at', 'ttl_config'],
      undefined,
      /no TTL field/,
    ],
    [
      'a query without an index',
      'indexes',
      ['locals', 'composites', 'videoExports', 'project-queue'],
      undefined,
      /queued has no index/,
    ],
    [
      'an index the wrong way round',
      'indexes',
      ['locals', 'composites', 'videoExports', 'project-queue', 3],
      'priority',
      /queued has no index/,
    ],
    [
      'an index for no query',
      'indexes',
      ['locals', 'composites', 'videoExports', 'x'],
      ['a', 'b'],
      /no query uses/,
    ],
    [
      'a query for what is not indexed',
      'exemptions',
      ['locals', 'unindexed', 'videoExports', 0],
      'unpublishedEvents',
      /owingEvents asks for/,
    ],
    [
      'a metric of a line that nobody logs',
      'monitoring',
      ['locals', 'counters', 'polls', 'event'],
      'poll.done',
      /nothing logs poll\.done/,
    ],
    [
      'an alert that nobody explains',
      'monitoring',
      ['locals', 'alerts', 'stalled', 'name'],
      'Snail',
      /"Snail"/,
    ],
  ])('%s', (_mistake, name, path, value, problem) => {
    expect(checks[name](withChange(stack, path, value)).join('\n')).toMatch(problem);
  });

  it('a role that is broader than listed', () => {
    const broader = { ...stack, text: stack.text.replace('roles/datastore.user', 'roles/editor') };
    expect(checks.roles(broader).join('\n')).toMatch(/the stack has roles\/editor/);
  });

  it('a new query without an index', () => {
    const query = { where: [['project', '==', 'p']], orderBy: [['createdAt', 'desc']] } as const;
    const added = [...queries, { name: 'newest', collection: 'videoExports', query }];
    expect(indexProblems(stack, added)).toEqual([
      'newest has no index on videoExports: project, createdAt desc',
    ]);
  });

  it('a sum whose field is not in the index', () => {
    const changed = withChange(stack, ['locals', 'composites', 'videoExports', 'batch-eecu'], undefined);
    expect(checks.indexes(changed)).toEqual([
      'terminalOfBatch has no index on videoExports: batchId, state, eecuSeconds',
    ]);
  });
});

describe('schedules', () => {
  it('refuse a manifest above what Cloud Scheduler takes', () => {
    const [size] = at(
      stack.resources,
      'google_cloud_scheduler_job.batch',
      'lifecycle',
      0,
      'precondition',
    ) as {
      condition: string;
    }[];
    const [, limit] = size?.condition.match(/length\(filebase64\(each\.value\.manifest\)\) <= (\d+)/) ?? [];
    // 1 MB for the whole job.
    expect(Number(limit)).toBeLessThan(1024 * 1024);
    expect(Number(limit)).toBeGreaterThan(1_000_000);
  });
});

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { describe, expect, it } from 'vitest';

import { collections } from '../../shared/store/collections.ts';
import * as lists from '../../shared/store/list-queries.ts';
import * as pageLists from '../../shared/store/page-queries.ts';
import * as queriesInUse from '../../shared/store/queries.ts';
import type { Query } from '../../shared/store/queries.ts';
import * as check from './checks.ts';
import { budgetQueries, spendingQueries } from '../../shared/store/budget-queries.ts';
import { exemptionProblems, indexProblems, neededIndex, type NamedQuery } from './indexes.ts';
import { keepingProblems, publishingProblems } from './keeping.ts';
import { mistakes } from './mistakes.ts';
import { at, readStack, root, rootDirectory, type Stack, withChange } from './stack.ts';

const stack = await readStack();
const rootModule = await readStack(rootDirectory);
const read = (file: string) => readFile(join(root, file), 'utf8');
const [example, deployerText, guide, moduleVariables, rootVariables] = await Promise.all(
  [
    'infra/terraform.tfvars.example',
    'infra/deployer.tf',
    'infra/OPERATIONS.md',
    'infra/modules/ee-video-exports/variables.tf',
    'infra/variables.tf',
  ].map(read),
);

/** The service's code: everything that can log, query and publish. */
async function readSource(): Promise<string> {
  const files = await Promise.all(
    ['shared', 'functions', 'cli', 'page'].map(async (directory) => {
      const names = await readdir(join(root, directory), { recursive: true });
      return names.filter((name) => name.endsWith('.ts')).map((name) => join(directory, name));
    }),
  );
  return (await Promise.all(files.flat().map(read))).join('\n');
}
const source = await readSource();

/** What the database sums, by query: `documents.sum(query, field)`. `undefined` means that it also finds or counts. */
const sums: Readonly<Record<string, readonly (string | undefined)[]>> = {
  finished: [undefined, 'eecuSeconds'],
  terminalOfBatch: [undefined, 'eecuSeconds'],
  ...Object.fromEntries(Object.keys(lists.costQueries).map((name) => [name, ['eecuSeconds']])),
};

function queriesOf(
  collection: string,
  queries: Readonly<Record<string, (...values: never[]) => Query>>,
): NamedQuery[] {
  return Object.entries(queries).flatMap(([name, make]) => {
    // Only the fields matter to an index, not the values.
    const query = (make as (...values: unknown[]) => Query)('value', ['value'], 'value');
    return (sums[name] ?? [undefined]).map((summed) => ({ name, collection, query, summed }));
  });
}
const querySets = {
  videoExports: [queriesInUse.recordQueries, lists.listQueries, lists.costQueries, pageLists.pageQueries],
  exportBudgets: [budgetQueries],
  videoExportBatches: [queriesInUse.batchQueries, lists.batchListQueries, pageLists.pageBatchQueries],
  videoExportProjects: [lists.projectListQueries, pageLists.pageProjectQueries],
  rejectedMessages: [queriesInUse.rejectedMessageQueries, lists.rejectedMessageListQueries],
};
const since = new Date(0);
/** Sums over what a budget can cover. A label has indexes of its own, and Firestore merges those of equal fields. */
const budgetSums: NamedQuery[] = [
  {},
  { project: 'value' },
  { batchIdPrefix: 'value' },
  { project: 'value', batchIdPrefix: 'value' },
].flatMap((match) => {
  const [ended, active] = [spendingQueries.endedIn(match, since), spendingQueries.active(match)];
  const named = { name: `spending ${Object.keys(match).join()}`, collection: 'videoExports' };
  return [
    { ...named, query: ended, summed: 'eecuSeconds' },
    { ...named, query: active, summed: 'eecuSeconds' },
    // Pages of operations to cancel.
    { ...named, query: active },
  ];
});
const queries = [
  ...Object.entries(querySets).flatMap(([collection, sets]) =>
    sets.flatMap((set) => queriesOf(collection, set)),
  ),
  ...budgetSums,
];

const expiring = [
  ...Object.values(collections)
    .filter(({ schema }) => JSON.stringify(shapeOf(schema)).includes('expireAt'))
    .map(({ path }) => path),
  // A subcollection of a record: the parts of its request.
  'request',
];

function shapeOf(schema: object): string[] {
  if ('shape' in schema) {
    return Object.keys(schema.shape as object);
  }
  if ('options' in schema) {
    return (schema.options as object[]).flatMap(shapeOf);
  }
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
  keeping: keepingProblems,
  publishing: publishingProblems,
  unused: (stack) => check.unusedProblems(stack, rootModule, example ?? ''),
  roles: (stack) => check.roleProblems(stack, deployerText ?? ''),
  grants: check.projectRoleProblems,
  expiry: (stack) => check.expiryProblems(stack, expiring),
  indexes: (stack) => indexProblems(stack, queries),
  exemptions: (stack) => exemptionProblems(stack, queries),
  monitoring: (stack) => check.monitoringProblems(stack, source, guide ?? ''),
} satisfies Record<string, Check>;

describe('the stack and the code agree', () => {
  it.each(Object.entries(checks))('%s', (_name, check) => {
    expect(check(stack)).toEqual([]);
  });

  it('every query of the code is checked', () => {
    const sets = Object.values({ ...queriesInUse, ...lists, ...pageLists, budgetQueries }).filter(
      (value) => typeof value === 'object',
    );
    expect(new Set(Object.values<object[]>(querySets).flat())).toEqual(new Set(sets));
  });

  it('an indexed label has the index that its query needs', () => {
    const needed = neededIndex(lists.newestOfLabel('team', 'water'));
    expect(needed).toEqual({ equal: ['labels.team'], ordered: ['createdAt desc'] });
    expect(at(stack.locals, 'indexes')).toContain('"labels.${label}", "createdAt desc"');
  });

  it('an indexed label has the indexes that its budgets need', () => {
    const indexes = JSON.stringify(at(stack.locals, '_label_indexes'));
    for (const match of [{}, { batchIdPrefix: 'weekly' }]) {
      const labeled = { ...match, label: { key: 'team', value: 'water' } };
      const needed = [
        neededIndex(spendingQueries.endedIn(labeled, since), 'eecuSeconds'),
        neededIndex(spendingQueries.active(labeled), 'eecuSeconds'),
        neededIndex(spendingQueries.active(labeled)),
      ];
      for (const one of needed) {
        const equal = one?.equal.filter((field) => field !== 'labels.team') ?? [];
        expect(indexes).toContain([...equal, ...(one?.ordered ?? [])].map((field) => `"${field}"`).join());
      }
    }
  });

  it('every sum in the code is listed here', () => {
    const summed = [...source.matchAll(/\.sum\([^;]*?'(\w+)'\)/g)].map(([, field]) => field);
    expect([...new Set(Object.values(sums).flat())]).toEqual(expect.arrayContaining(summed));
  });
});

describe('the root module', () => {
  it('declares the variables of the module, word for word', () => {
    expect(rootVariables).toBe(moduleVariables);
  });

  it('passes each of them on', async () => {
    const main = await read('infra/main.tf');
    const passed = [...main.matchAll(/^  (\w+) += var\.(\w+)$/gm)].map(([, argument, variable]) => [
      argument,
      variable,
    ]);
    expect(passed.filter(([argument, variable]) => argument !== variable)).toEqual([
      ['project', 'project_id'],
    ]);
    const names = passed.map(([argument]) => argument).filter((name) => name !== 'project');
    expect(new Set(names)).toEqual(new Set(Object.keys(stack.variables)));
  });

  it('pins exact provider versions, in every root', async () => {
    const roots = await Promise.all(
      ['infra/main.tf', 'infra/environments/staging/main.tf', 'infra/environments/production/main.tf'].map(
        read,
      ),
    );
    const versions = roots.map((text) => [...text.matchAll(/^ +version = "(.*)"$/gm)].map(([, v]) => v));
    expect(new Set(versions.map(String))).toEqual(new Set(['6.50.0,0.13.1']));
  });

  it('sets every variable in its tests, because Terraform also reads terraform.tfvars there', async () => {
    const test = await read('infra/tests/root.tftest.hcl');
    const pinned = [...(test.match(/^variables \{[\s\S]*?^\}/m)?.[0] ?? '').matchAll(/^  (\w+) +=/gm)];
    expect(new Set(pinned.map(([, name]) => name))).toEqual(new Set(Object.keys(rootModule.variables)));
  });
});

describe('a mistake is detected', () => {
  it.each(mistakes)('%s', (_mistake, name, path, value, problem) => {
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
    const changed = withChange(
      stack,
      ['locals', 'composites', 'videoExports', 'batch-lower-bounds'],
      undefined,
    );
    expect(checks.indexes(changed)).toEqual([
      'lowerBoundsOfBatch has no index on videoExports: batchId, eecuIsLowerBound, eecuSeconds',
    ]);
  });
});

describe('schedules', () => {
  it('do not accept a manifest that is too large for Cloud Scheduler', () => {
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

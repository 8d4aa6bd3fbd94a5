import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { describe, expect, it } from 'vitest';

import { type CloudBuild, readCloudBuild, root, withChange } from './stack.ts';

const build = await readCloudBuild();
const { scripts } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>;
};
const deployer = await readFile(join(root, 'infra/deployer.tf'), 'utf8');

/** All steps that a step waits for, directly or indirectly. */
function before(build: CloudBuild, id: string): Set<string> {
  const found = new Set<string>();
  const open = [id];
  for (let step = open.pop(); step !== undefined; step = open.pop()) {
    const index = build.steps.findIndex((other) => other.id === step);
    // Without waitFor, a step waits for all steps above it.
    const awaited = build.steps[index]?.waitFor ?? build.steps.slice(0, index).map((other) => other.id);
    for (const other of awaited.filter((other) => !found.has(other))) {
      found.add(other);
      open.push(other);
    }
  }
  return found;
}

function problems(build: CloudBuild): string[] {
  const ids = build.steps.map(({ id }) => id);
  const found: string[] = [];
  for (const [index, step] of build.steps.entries()) {
    const command = [step.entrypoint ?? '', ...step.args].join(' ');
    for (const [, script = ''] of command.matchAll(/npm run ([\w:-]+)/g)) {
      if (!(script in scripts)) {
        found.push(`${step.id}: package.json has no script ${script}`);
      }
    }
    for (const [, file = ''] of command.matchAll(/node (\S+\.ts)/g)) {
      if (!existsSync(join(root, file))) {
        found.push(`${step.id}: there is no ${file}`);
      }
    }
    for (const [name] of command.matchAll(/(?<!\$)\$\{?(_\w+)\}?/g)) {
      if (!(name.replace(/[${}]/g, '') in build.substitutions)) {
        found.push(`${step.id}: ${name} has no default`);
      }
    }
    for (const id of step.waitFor ?? []) {
      if (!ids.slice(0, index).includes(id)) {
        found.push(`${step.id} waits for ${id}, which is not above it`);
      }
    }
  }
  for (const id of ['install', 'verify', 'build', 'settings', 'plan']) {
    if (!before(build, 'apply').has(id)) {
      found.push(`apply does not wait for ${id}`);
    }
  }
  for (const { id } of build.steps.filter(({ id }) => !['install', 'terraform', 'verify'].includes(id))) {
    if (!before(build, id).has('verify')) {
      found.push(`${id} does not wait for the tests`);
    }
  }
  if (build.options.logging !== 'CLOUD_LOGGING_ONLY') {
    found.push('the account cannot write the logs');
  }
  const account = build.serviceAccount.match(/serviceAccounts\/([\w-]+)@/)?.[1];
  if (account === undefined || !deployer.includes(`"${account}"`)) {
    found.push('runs as an account that deployer.tf does not create');
  }
  return found;
}

describe('cloudbuild.yaml', () => {
  it('runs existing commands as its own account, and stops if a test fails', () => {
    expect(problems(build)).toEqual([]);
  });

  it('applies the plan', () => {
    const args = (id: string) => build.steps.find((step) => step.id === id)?.args ?? [];
    expect(args('plan').join(' ')).toContain('-out=plan');
    expect(args('apply').at(-1)).toBe('plan');
  });

  const step = (id: string) => build.steps.findIndex((other) => other.id === id);

  it.each<[string, readonly (string | number)[], unknown, RegExp]>([
    ['a script that does not exist', ['steps', step('build'), 'args'], ['run', 'bundle'], /no script bundle/],
    [
      'a file that does not exist',
      ['steps', step('rules'), 'args', 0],
      'infra/rules.ts',
      /no infra\/rules\.ts/,
    ],
    [
      'a build before the tests',
      ['steps', step('build'), 'waitFor'],
      ['install'],
      /build does not wait for the tests/,
    ],
    [
      'an apply without a plan',
      ['steps', step('apply'), 'waitFor'],
      ['verify'],
      /apply does not wait for plan/,
    ],
    ['a step that is not there', ['steps', step('plan'), 'waitFor'], ['biuld'], /waits for biuld/],
    [
      'an unknown substitution',
      ['substitutions', '_STATE_BUCKET'],
      undefined,
      /_STATE_BUCKET\}? has no default/,
    ],
    ['no logs', ['options', 'logging'], 'LEGACY', /logs/],
    ['the default account', ['serviceAccount'], 'projects/p/serviceAccounts/default@x', /does not create/],
  ])('%s is found', (_mistake, path, value, problem) => {
    expect(problems(withChange(build, path, value)).join('\n')).toMatch(problem);
  });
});

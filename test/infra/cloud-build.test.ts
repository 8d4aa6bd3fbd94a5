import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';

import { type CloudBuild, readCloudBuild, root, withChange } from './stack.ts';

const verify = await readCloudBuild('cloudbuild.yaml');
const deploy = await readCloudBuild('cloudbuild-deploy.yaml');
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

const commandOf = ({ entrypoint = '', args }: CloudBuild['steps'][number]) => [entrypoint, ...args].join(' ');

/** @param last the step that has to wait for all others */
function problems(build: CloudBuild, last: string): string[] {
  const ids = build.steps.map(({ id }) => id);
  const found: string[] = [];
  for (const [index, step] of build.steps.entries()) {
    const command = commandOf(step);
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
  for (const id of ids.filter((id) => id !== last)) {
    if (!before(build, last).has(id)) {
      found.push(`${last} does not wait for ${id}`);
    }
  }
  if (build.options.logging !== 'CLOUD_LOGGING_ONLY') {
    found.push('the account cannot write the logs');
  }
  const account = build.serviceAccount.match(/serviceAccounts\/([\w-]+)@/)?.[1];
  if (account === undefined || !deployer.includes(`"${account}"`)) {
    found.push('runs as an account that deployer.tf does not create');
  }
  if (
    account?.endsWith('deployer') &&
    build.steps.some((step) => /\b(?:npm|npx|node)\b/.test(commandOf(step)))
  ) {
    found.push('code of packages runs with the rights of the deployer');
  }
  return found;
}

describe('Cloud Build', () => {
  it.each<[string, CloudBuild, string]>([
    ['verifies', verify, 'upload'],
    ['deploys', deploy, 'apply'],
  ])(
    '%s with existing commands, as its own account, each step after the one that it needs',
    (_what, build, last) => {
      expect(problems(build, last)).toEqual([]);
    },
  );

  it('applies the plan', () => {
    const args = (id: string) => deploy.steps.find((step) => step.id === id)?.args ?? [];
    expect(args('plan').join(' ')).toContain('-out=plan');
    expect(args('apply').at(-1)).toBe('plan');
  });

  const step = (build: CloudBuild, id: string) => build.steps.findIndex((other) => other.id === id);

  it.each<[string, CloudBuild, readonly (string | number)[], unknown, RegExp]>([
    [
      'a missing script',
      verify,
      ['steps', step(verify, 'build'), 'args'],
      ['run', 'bundle'],
      /no script bundle/,
    ],
    [
      'bundles of a commit that failed',
      verify,
      ['steps', step(verify, 'build'), 'waitFor'],
      ['install'],
      /upload does not wait for verify/,
    ],
    [
      'an apply without a plan',
      deploy,
      ['steps', step(deploy, 'apply'), 'waitFor'],
      ['settings'],
      /apply does not wait for plan/,
    ],
    ['a missing step', deploy, ['steps', step(deploy, 'plan'), 'waitFor'], ['setings'], /waits for setings/],
    [
      'an unknown substitution',
      deploy,
      ['substitutions', '_STATE_BUCKET'],
      undefined,
      /_STATE_BUCKET\}? has no default/,
    ],
    ['no logs', deploy, ['options', 'logging'], 'LEGACY', /logs/],
    ['the default account', deploy, ['serviceAccount'], 'projects/p/serviceAccounts/default@x', /not create/],
    [
      'packages with deploy rights',
      deploy,
      ['steps', step(deploy, 'bundles'), 'args'],
      ['-euc', 'npm ci && npm run build'],
      /code of packages/,
    ],
  ])('%s is detected', (_mistake, build, path, value, problem) => {
    expect(problems(withChange(build, path, value), build.steps.at(-1)?.id ?? '').join('\n')).toMatch(
      problem,
    );
  });
});

interface Workflow {
  readonly permissions: Readonly<Record<string, string>>;
  readonly jobs: Readonly<
    Record<
      string,
      {
        readonly needs?: string;
        readonly environment?: string;
        readonly permissions?: Readonly<Record<string, string>>;
        readonly steps: readonly { readonly run?: string; readonly uses?: string }[];
      }
    >
  >;
}

describe('the example for GitHub Actions', async () => {
  const text = await readFile(join(root, 'docs/examples/github-actions.yaml'), 'utf8');
  const { permissions, jobs } = parse(text) as Workflow;
  const runs = (job: string) => (jobs[job]?.steps ?? []).flatMap(({ run }) => run ?? []);

  it('verifies without any access to Google Cloud', () => {
    expect(permissions).toEqual({ contents: 'read' });
    expect(jobs['verify']?.permissions).toBeUndefined();
    expect(runs('verify')).toEqual([
      'pipx install mypy==1.18.2',
      'npm ci',
      'npm run verify -- --no-skip',
      'npm run build',
    ]);
  });

  it('deploys after an approval, without code of packages, as Cloud Build does', () => {
    expect(jobs['deploy']).toMatchObject({
      needs: 'verify',
      environment: 'production',
      permissions: { 'id-token': 'write' },
    });
    expect(runs('deploy').filter((run) => /\b(?:npm|npx|node)\b/.test(run))).toEqual([]);
    const cloudBuild = deploy.steps
      .map(commandOf)
      .join('\n')
      .replaceAll('${_STATE_BUCKET}', '"$STATE_BUCKET"');
    for (const run of runs('deploy').filter((run) => run.startsWith('terraform'))) {
      expect(cloudBuild).toContain(run.replace(/^terraform (?=.* apply)/, ' '));
    }
  });
});

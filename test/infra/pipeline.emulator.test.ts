import { spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { type CloudBuild, readCloudBuild } from './stack.ts';

/**
 * The steps of both builds, run in their order on this machine. Stand-ins for npm, gcloud, and Terraform log what they are
 * called with; buckets are folders.
 */

const commit = '0123abcd';
const verify = await readCloudBuild('cloudbuild.yaml');
const deploy = await readCloudBuild('cloudbuild-deploy.yaml');

const tools: Readonly<Record<string, string>> = {
  'apt-get': '',
  npm: `
    if [ "$*" = "\${FAILING:-}" ]; then exit 1; fi
    if [ "$*" = "run build" ]; then mkdir -p build/deploy; echo zip >build/deploy/submitExport.zip; fi`,
  gcloud: `
    [ "$1 $2" = "storage cp" ]; shift 2
    paths=()
    for argument in "$@"; do
      case $argument in
        --*) ;;
        gs://*) paths+=("$BUCKETS/\${argument#gs://}") ;;
        *) paths+=("$argument") ;;
      esac
    done
    destination=\${paths[-1]}; unset 'paths[-1]'
    mkdir -p "$destination"
    for source in "\${paths[@]}"; do
      for file in $source; do [ -e "$file" ] || exit 1; cp "$file" "$destination"; done
    done`,
  terraform: `
    case " $* " in
      *" plan "*) cat infra/*.tfvars >infra/plan ;;
      *" apply "*) cp infra/plan infra/applied ;;
    esac`,
};

describe('the pipeline, run locally', () => {
  let work = '';

  beforeEach(async () => {
    work = await mkdtemp(join(tmpdir(), 'pipeline-'));
    for (const directory of ['bin', 'buckets/state', 'usr/local/bin', 'usr/local/lib', 'toolchain/bin']) {
      await mkdir(join(work, directory), { recursive: true });
    }
    for (const [name, script] of Object.entries(tools)) {
      const file = join(work, 'bin', name);
      const log = `echo "$BUILD_ACCOUNT $BUILD_STEP: ${name} $*" >>"$TRANSCRIPT"`;
      const settings = `(cd infra && ls *.tfvars 2>/dev/null | sed "s/^/  with /") >>"$TRANSCRIPT" || true`;
      await writeFile(
        file,
        `#!/usr/bin/env bash\nset -euo pipefail\n${log}\n${name === 'terraform' ? settings : ''}\n${script}\n`,
      );
      await chmod(file, 0o755);
    }
    await writeFile(join(work, 'buckets/state/terraform.tfvars'), 'project_id = "p"\n');
  });
  afterEach(() => rm(work, { recursive: true }));

  /** Runs the steps in an empty workspace until one fails. Returns the step that failed. */
  async function run(
    build: CloudBuild,
    { failing = '', lockfile = true }: { failing?: string; lockfile?: boolean } = {},
  ): Promise<string | undefined> {
    const workspace = await mkdtemp(join(work, 'workspace-'));
    await mkdir(join(workspace, 'infra'));
    if (lockfile) {
      await writeFile(join(workspace, 'infra/.terraform.lock.hcl'), '');
    }
    for (const { id, name, entrypoint, args } of build.steps) {
      const program = entrypoint ?? (name.startsWith('hashicorp/terraform') ? 'terraform' : 'node');
      const child = spawn(program, args.map(substituted), {
        cwd: workspace,
        env: {
          PATH: `${join(work, 'bin')}:${process.env['PATH']}`,
          BUCKETS: join(work, 'buckets'),
          BUILD_ACCOUNT: build.serviceAccount.match(/serviceAccounts\/([\w-]+)@/)?.[1],
          BUILD_STEP: id,
          TRANSCRIPT: join(work, 'transcript'),
          FAILING: failing,
        },
        stdio: 'ignore',
      });
      const code = await new Promise((resolve) => child.once('close', resolve));
      if (code !== 0) {
        return id;
      }
    }
    return undefined;
  }

  /** As Cloud Build does it; and folders of the images are folders of this test. */
  const substituted = (text: string) =>
    text
      .replaceAll('${_ARTIFACTS}', 'artifacts')
      .replaceAll('${_STATE_BUCKET}', 'state')
      .replaceAll('$COMMIT_SHA', commit)
      .replaceAll('$$', '$')
      .replaceAll(/(?<=^|[\s"])\/(?=toolchain|usr\/local|bin\/terraform)/g, `${work}/`);

  const transcript = async () => {
    const text = await readFile(join(work, 'transcript'), 'utf8');
    return text.trimEnd().split('\n');
  };

  it('verifies as one account without settings, and deploys as another with those of the bucket', async () => {
    await expect(run(verify)).resolves.toBeUndefined();
    await expect(run(deploy)).resolves.toBeUndefined();
    expect(await transcript()).toEqual([
      'video-export-verifier install: npm ci',
      'video-export-verifier verify: apt-get update -qq',
      'video-export-verifier verify: apt-get install -qq --no-install-recommends mypy',
      'video-export-verifier verify: npm run verify -- --no-skip',
      'video-export-verifier build: npm run build',
      `video-export-verifier upload: gcloud storage cp --no-clobber build/deploy/submitExport.zip gs://artifacts/${commit}/`,
      `video-export-deployer bundles: gcloud storage cp gs://artifacts/${commit}/*.zip build/deploy/`,
      'video-export-deployer settings: gcloud storage cp gs://state/*.tfvars infra/',
      'video-export-deployer plan: terraform -chdir=infra init -input=false -lockfile=readonly -backend-config=bucket=state',
      '  with terraform.tfvars',
      'video-export-deployer plan: terraform -chdir=infra plan -input=false -lock-timeout=300s -out=plan',
      '  with terraform.tfvars',
      'video-export-deployer apply: terraform -chdir=infra apply -input=false -lock-timeout=300s plan',
      '  with terraform.tfvars',
    ]);
  });

  it('keeps a pause, because its settings are in the bucket too', async () => {
    await writeFile(join(work, 'buckets/state/paused.auto.tfvars'), 'paused = true\n');
    await run(verify);
    await expect(run(deploy)).resolves.toBeUndefined();
    expect((await transcript()).slice(-2)).toEqual(['  with paused.auto.tfvars', '  with terraform.tfvars']);
  });

  it('has no bundles for a commit that fails a check, and so does not deploy it', async () => {
    await expect(run(verify, { failing: 'run verify -- --no-skip' })).resolves.toBe('verify');
    await expect(run(deploy)).resolves.toBe('bundles');
    expect((await transcript()).join('\n')).not.toContain('terraform');
  });

  it('applies nothing if the hashes of the providers are not committed', async () => {
    await run(verify);
    await expect(run(deploy, { lockfile: false })).resolves.toBe('plan');
    expect((await transcript()).join('\n')).not.toContain('terraform');
  });
});

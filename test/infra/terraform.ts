import { spawn } from 'node:child_process';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';

import { terraformCommand, terraformObstacle } from '../../infra/terraform.ts';
import { root } from './stack.ts';

/** Real Terraform, for tests. */

export interface TerraformResult {
  readonly code: number;
  /** Both streams, without colors. */
  readonly output: string;
}

/** @param directory of a configuration, absolute */
export const terraform = (directory: string, ...args: readonly string[]): Promise<TerraformResult> =>
  execute(terraformCommand(directory, ...args));

/** For configurations that need no provider: also `plan` and `apply` work. */
export const plainTerraform = (directory: string, ...args: readonly string[]): Promise<TerraformResult> =>
  execute(['terraform', `-chdir=${directory}`, ...args]);

async function execute([program = '', ...args]: readonly string[]): Promise<TerraformResult> {
  const child = spawn(program, args, {
    cwd: root,
    env: { ...process.env, CHECKPOINT_DISABLE: '1', TF_IN_AUTOMATION: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  }
  const code = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 1));
  });
  return { code, output: stripVTControlCharacters(output) };
}

/** A copy of infra/ as it is in an empty checkout, which the caller removes. */
export async function copyOfInfra(): Promise<{ infra: string; remove: () => Promise<void> }> {
  const directory = await mkdtemp(join(tmpdir(), 'infra-'));
  const infra = join(directory, 'infra');
  await cp(join(root, 'infra'), infra, {
    recursive: true,
    filter: (path) =>
      !path.includes('/.terraform') && !path.endsWith('.tfvars') && !path.includes('/infra/local/simulator'),
  });
  return { infra, remove: () => rm(directory, { recursive: true }) };
}

export async function temporaryConfiguration(
  main: string,
): Promise<{ path: string; remove: () => Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'terraform-'));
  await writeFile(join(path, 'main.tf'), main);
  return { path, remove: () => rm(path, { recursive: true }) };
}

/** Tests without Terraform or its providers are skipped, and say so. */
export async function skipReason(needsProvider: boolean): Promise<string | undefined> {
  const obstacle = await terraformObstacle(needsProvider);
  if (obstacle !== undefined) {
    console.warn(`SKIPPED: ${obstacle}`);
  }
  return obstacle;
}

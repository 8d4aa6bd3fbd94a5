import { spawnSync } from 'node:child_process';

/** A script that runs Terraform without a network, as `node SCRIPT DIRECTORY COMMAND…`. */
const wrapper = process.env['TERRAFORM_WRAPPER'];

export const terraformCommand = (directory: string, ...args: readonly string[]): string[] =>
  wrapper ? ['node', wrapper, directory, ...args] : ['terraform', `-chdir=${directory}`, ...args];

/**
 * Returns why Terraform's checks cannot run here, if they cannot.
 *
 * @param needsProvider `init` and all that follows it use providers, which come from Terraform's registry
 */
export async function terraformObstacle(needsProvider = true): Promise<string | undefined> {
  if (spawnSync('terraform', ['-version']).error !== undefined) {
    return 'Terraform is not installed';
  }
  return !needsProvider || wrapper || (await isReachable('https://registry.terraform.io'))
    ? undefined
    : 'registry.terraform.io, which has the providers, cannot be reached';
}

async function isReachable(url: string): Promise<boolean> {
  try {
    await fetch(url, { method: 'HEAD', signal: AbortSignal.timeout(10_000) });
    return true;
  } catch {
    return false;
  }
}

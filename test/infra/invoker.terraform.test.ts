import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { describe, expect, it } from 'vitest';

import { at, readStack } from './stack.ts';
import { plainTerraform, skipReason, temporaryConfiguration } from './terraform.ts';

/**
 * When the grant to call a function is replaced, shown with Terraform's built-in resource: `code` updates it in place, as
 * a deployment updates a function, and `generation` re-creates it.
 */

const { resources } = await readStack();
const [trigger = ''] = at(
  resources,
  'google_cloud_run_v2_service_iam_member.invoker',
  'lifecycle',
  0,
  'replace_triggered_by',
) as string[];
/** The real line, about a resource that needs no provider. */
const line = trigger
  .replace(/^\$\{(.*)\}$/, '$1')
  .replace('google_cloudfunctions2_function.', 'terraform_data.');

const configuration = (replaceTriggeredBy: string) => `
variable "code" { default = "1" }
variable "generation" { default = "1" }

resource "terraform_data" "this" {
  for_each         = toset(["submitExport"])
  input            = var.code
  triggers_replace = var.generation
}

resource "terraform_data" "grant" {
  for_each = terraform_data.this

  lifecycle {
    replace_triggered_by = [${replaceTriggeredBy}]
  }
}
`;

/** What a plan does to the grant after everything was applied once. */
async function planned(replaceTriggeredBy: string, variable: string): Promise<string | undefined> {
  const { path, remove } = await temporaryConfiguration(configuration(replaceTriggeredBy));
  try {
    for (const args of [['init'], ['apply', '-auto-approve']]) {
      expect(await plainTerraform(path, ...args)).toMatchObject({ code: 0 });
    }
    await writeFile(join(path, 'terraform.tfvars'), `${variable} = "2"\n`);
    const { code, output } = await plainTerraform(path, 'plan', '-out=plan');
    expect({ code, output }).toMatchObject({ code: 0 });
    expect(output).toMatch(/terraform_data\.this\["submitExport"\] (?:will be updated|must be replaced)/);
    return output.match(/terraform_data\.grant\["submitExport"\] will be (.*)/)?.[1];
  } finally {
    await remove();
  }
}

describe.skipIf(await skipReason(false))('the grant to call a function', () => {
  it('stays while the function is updated', async () => {
    await expect(planned(line, 'code')).resolves.toBeUndefined();
  });

  it('is made again if the function is re-created', async () => {
    await expect(planned(line, 'generation')).resolves.toMatch(/^replaced/);
  });

  it('would be removed first by each update if the trigger were the whole function', async () => {
    const whole = line.replace(/\.id$/, '');
    expect(whole).not.toBe(line);
    await expect(planned(whole, 'code')).resolves.toMatch(/^replaced/);
  });
});

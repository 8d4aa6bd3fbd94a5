import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { readConfig } from '../../shared/config.ts';
import { jobRules, parseJobMessage } from '../../shared/message/job-message.ts';
import { root } from './stack.ts';
import { copyOfInfra, skipReason, terraform } from './terraform.ts';

/** Every configuration is valid, plans, and passes its tests, whichever settings are there. */

const skip = await skipReason(true);

const required = `
project_id     = "demo-exports"
export_buckets = { "demo-exports-videos" = {} }
`;

const read = (file: string) => readFile(join(root, 'infra', file), 'utf8');

const settings: Readonly<Record<string, string>> = {
  'the settings of the example': await read('terraform.tfvars.example'),
  'a deployer': `${required}
deployer = {
  state_bucket = "demo-exports-state"
  approvers    = ["group:leads@example.com"]
  repository   = "projects/demo-exports/locations/us-central1/connections/c/repositories/r"
  github       = { repository = "example/ee-video-exports" }
}
`,
  'two Earth Engine projects': `${required}
earth_engine_projects = ["demo-exports", "demo-other"]
deployer              = { state_bucket = "demo-exports-state" }
`,
  'a named database': `${required}
firestore = { database = "exports", daily_backup_days = 7, weekly_backup_days = 98 }
`,
  'an existing database': `${required}
firestore = { create = false }
`,
  'a key': `${required}
kms_key_name = "projects/demo-keys/locations/us-central1/keyRings/ring/cryptoKeys/key"
deployer     = { state_bucket = "demo-exports-state" }
`,
  'only other destinations': `
project_id           = "demo-exports"
allowed_destinations = ["gs://elsewhere/*", "drive:*"]
`,
  'everything else': `${required}
alerts = {
  channels    = ["projects/demo-exports/notificationChannels/42"]
  emails      = ["oncall@example.com"]
  runbook_url = "https://git.example.com/OPERATIONS.md"
}
event_subscribers = ["group:maps@example.com"]
hold_messages     = true
indexed_labels    = ["team"]
instances         = { submitExport = { max = 20, min = 1 } }
labels            = { app = "exports" }
operators         = ["group:operators@example.com"]
paused            = true
publishers        = { jobs = ["group:maps@example.com"], batches = ["group:maps@example.com"] }
readers           = ["group:maps@example.com"]
region            = "europe-west1"
schedules         = { weekly = { cron = "0 6 * * 1", manifest = "modules/ee-video-exports/tests/manifest.json" } }
settings          = { retention_days = 365 }
topics            = { jobs = "exports" }
vpc               = { connector = "projects/demo-net/locations/europe-west1/connectors/c", egress = "ALL_TRAFFIC" }
`,
};

/** Applies the settings with the mocked provider. The values of the other variables come from terraform.tfvars. */
const applied = (mocks: string, variables = '') => `
mock_provider "google" {
  source = "${mocks}"
}
mock_provider "time" {}

run "apply" {
  command = apply
  ${variables}
}
`;
const bundles = 'variables { bundle_directory = "modules/ee-video-exports/tests/bundles" }';

type Outputs = Readonly<Record<string, { readonly value: unknown }>>;

/** The outputs after the run, from the lines of `terraform test -json -verbose`. */
function outputsOf(lines: string): Outputs {
  const states = lines
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .flatMap((line) => (JSON.parse(line) as { readonly test_state?: { outputs: Outputs } }).test_state ?? []);
  return states.at(-1)?.outputs ?? {};
}

/** What the service, configured as the outputs describe it, would say about the job. */
function jobProblems(job: string, environment: string): unknown[] {
  const exported = [...environment.matchAll(/^export (\w+)='(.*)'$/gm)].map(([, name, value]) => [
    name,
    value,
  ]);
  const reading = parseJobMessage(JSON.parse(job), jobRules(readConfig(Object.fromEntries(exported))));
  return 'job' in reading ? [] : [...reading.issues];
}

describe.skipIf(skip)('terraform', () => {
  let infra = '';
  let remove = () => Promise.resolve();
  const succeeded = async (directory: string, ...args: readonly string[]) => {
    const { code, output } = await terraform(join(infra, directory), ...args);
    expect(code, output).toBe(0);
    return output;
  };

  beforeAll(async () => {
    ({ infra, remove } = await copyOfInfra());
    for (const directory of [
      '.',
      'modules/ee-video-exports',
      'environments/staging',
      'environments/production',
    ]) {
      await succeeded(directory, 'init', '-backend=false', '-input=false');
    }
  });
  afterAll(() => remove());

  it('formats every file', async () => {
    await succeeded('.', 'fmt', '-check', '-recursive');
  });

  it.each(['.', 'modules/ee-video-exports', 'environments/staging', 'environments/production'])(
    'validates %s',
    async (directory) => {
      await succeeded(directory, 'validate');
    },
  );

  it('tests the module', async () => {
    const output = await succeeded('modules/ee-video-exports', 'test');
    expect(output).toMatch(/Success! \d{2} passed, 0 failed/);
  });

  it.each([
    ['is not there', ''],
    ['has a deployer', settings['a deployer']],
    ['has only other destinations', settings['only other destinations']],
  ])('tests the root module if terraform.tfvars %s', async (_what, tfvars = '') => {
    const file = join(infra, 'terraform.tfvars');
    await (tfvars === '' ? rm(file, { force: true }) : writeFile(file, tfvars));
    await succeeded('.', 'test', '-filter=tests/root.tftest.hcl');
  });

  describe.each(Object.entries(settings))('with %s in terraform.tfvars', (_name, tfvars) => {
    beforeAll(() => writeFile(join(infra, 'terraform.tfvars'), tfvars));
    afterAll(() => rm(join(infra, 'terraform.tfvars')));

    it('applies, and prints a first job that the service accepts', async () => {
      const file = join(infra, 'tests/settings.tftest.hcl');
      await writeFile(file, applied('./modules/ee-video-exports/tests/mocks', bundles));
      const output = await succeeded('.', 'test', '-json', '-verbose', '-filter=tests/settings.tftest.hcl');
      await rm(file);
      const outputs = outputsOf(output);
      const [job, environment] = [outputs['first_job']?.value, outputs['environment']?.value];
      expect(jobProblems(String(job), String(environment))).toEqual([]);
    });
  });

  it.each([
    ['staging', 'project_id = "demo-staging"'],
    [
      'production',
      `project_id     = "demo-production"
alert_channels = ["projects/demo-production/notificationChannels/42"]
kms_key_name   = "projects/demo-keys/locations/us-central1/keyRings/ring/cryptoKeys/key"
operators      = ["group:operators@example.com"]
runbook_url    = "https://git.example.com/OPERATIONS.md"`,
    ],
  ])('applies %s', async (environment, tfvars) => {
    const directory = join(infra, 'environments', environment);
    await writeFile(join(directory, 'terraform.tfvars'), tfvars);
    // The bundles of this checkout need not be built.
    await writeFile(
      join(directory, 'override.tf'),
      'module "exports" {\n  bundle_directory = "../../modules/ee-video-exports/tests/bundles"\n}\n',
    );
    await writeFile(
      join(directory, 'apply.tftest.hcl'),
      applied('../../modules/ee-video-exports/tests/mocks'),
    );
    await succeeded(join('environments', environment), 'test');
  });
});

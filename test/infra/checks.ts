import { targetNames, type Target } from '../../infra/targets.ts';
import { environmentSchema, readConfig } from '../../shared/config.ts';
import { keptSubscription } from '../../shared/dead-letters/replay.ts';
import { at, keysOf, optionalDefaults, type Stack } from './stack.ts';

/** What must agree between infra/*.tf and the code. Each check returns its problems as text. */

const list = (names: readonly string[]) => names.join(', ');

function differences(subject: string, found: readonly string[], wanted: readonly string[]): string[] {
  const missing = wanted.filter((name) => !found.includes(name));
  const extra = found.filter((name) => !wanted.includes(name));
  return [
    ...(missing.length > 0 ? [`${subject} lacks ${list(missing)}`] : []),
    ...(extra.length > 0 ? [`${subject} has ${list(extra)}, which the code does not have`] : []),
  ];
}

/** Never set in a deployment: a function would call an address that does not exist there. */
const isEmulatorHost = (name: string) => name.endsWith('_EMULATOR_HOST');

const nodeVariables = ['LOG_EXECUTION_ID', 'NODE_COMPILE_CACHE', 'NODE_COMPILE_CACHE_PORTABLE', 'NODE_ENV'];

export function environmentProblems(stack: Stack): string[] {
  const known = Object.keys(environmentSchema.shape).filter((name) => !isEmulatorHost(name));
  const environment = at(stack.locals, 'environment');
  const constant = Object.entries(environment as Record<string, unknown>)
    .filter(([, value]) => !/\$\{.*(?:var|local)\./.test(String(value)))
    .map(([name]) => `${name} cannot be set: no variable sets it`);
  return [
    ...differences('local.environment', keysOf(environment), known),
    ...differences('local.node_environment', keysOf(at(stack.locals, 'node_environment')), nodeVariables),
    ...constant,
  ];
}

/** Terraform's defaults and the code's must be equal. */
export function defaultProblems(stack: Stack): string[] {
  const code = environmentSchema.parse({ GOOGLE_CLOUD_PROJECT: 'demo-test' }) as Record<string, unknown>;
  const settings = optionalDefaults(stack.variables['settings']);
  const topics = optionalDefaults(stack.variables['topics']);
  const environment = at(stack.locals, 'environment') as Record<string, string>;
  return Object.entries(environment).flatMap(([name, expression]) => {
    const [, variable, key] = expression.match(/var\.(settings|topics)\.(\w+)/) ?? [];
    if (variable === undefined || key === undefined) {
      return [];
    }
    const inTerraform = (variable === 'settings' ? settings : topics)[key];
    if (inTerraform === undefined) {
      return [`${name}: var.${variable}.${key} has no default`];
    }
    // The code's durations are in milliseconds.
    const unit = name.endsWith('_SECONDS') ? 1000 : name.endsWith('_HOURS') ? 3_600_000 : 1;
    const inCode = code[name];
    const same = typeof inCode === 'number' ? Number(inTerraform) * unit === inCode : inTerraform === inCode;
    return same
      ? []
      : [`${name} is ${inTerraform} by default in Terraform and ${String(inCode)} in the code`];
  });
}

export function unusedProblems(stack: Stack, rootModule: Stack, tfvarsExample: string): string[] {
  const unused = (kind: 'var' | 'local', names: readonly string[]) =>
    names
      .filter((name) => !new RegExp(`\\b${kind}\\.${name}\\b`).test(stack.text))
      .map((name) => `${kind}.${name} is not used`);
  const examples = [...tfvarsExample.matchAll(/^(?:# )?(\w+) *=/gm)].map(([, name = '']) => name);
  return [
    ...unused('var', Object.keys(stack.variables)),
    ...unused('local', Object.keys(stack.locals)),
    ...examples
      .filter((name) => rootModule.variables[name] === undefined)
      .map((name) => `terraform.tfvars.example sets ${name}, which is not a variable`),
    ...Object.entries({ ...stack.variables, ...rootModule.variables })
      .filter(([, block]) => !block['description'])
      .map(([name]) => `var.${name} has no description`),
  ];
}

export function targetProblems(stack: Stack): string[] {
  const pushed = keysOf(at(stack.locals, 'pushes'));
  return [
    ...differences('local.functions', keysOf(at(stack.locals, 'functions')), targetNames),
    ...differences('local.runs_as', keysOf(at(stack.locals, 'runs_as')), targetNames),
    // People look at the page.
    ...differences(
      'local.pushes',
      pushed,
      targetNames.filter((target) => target !== 'showExports'),
    ),
  ];
}

/** Earth Engine deduplicates per account, so the two functions that call video:export share one; no others share. */
export function accountProblems(stack: Stack): string[] {
  const runsAs = at(stack.locals, 'runs_as') as Record<Target, string>;
  const { submitExport, pollExports, ...others } = runsAs;
  const accounts = [submitExport, ...Object.values(others)];
  return [
    ...(submitExport === pollExports
      ? []
      : ['submitExport and pollExports call Earth Engine as different accounts']),
    ...(new Set(accounts).size === accounts.length ? [] : ['a function shares an account unnecessarily']),
    ...differences('local.service_accounts', keysOf(at(stack.locals, 'service_accounts')), accounts),
  ];
}

/** Pub/Sub's maximum. A longer timeout of a function is detected even if the deadline is raised with it. */
const MAX_ACK_SECONDS = 600;

export function timeoutProblems(stack: Stack): string[] {
  const deadline = at(stack.resources, 'google_pubsub_subscription.push', 'ack_deadline_seconds');
  const functions = at(stack.locals, 'functions') as Record<Target, unknown>;
  const seconds = (target: Target) => secondsOf(stack, at(functions, target, 'timeout_seconds'));
  const settings = optionalDefaults(stack.variables['settings']);
  const problems: string[] = [];
  if (deadline !== MAX_ACK_SECONDS) {
    problems.push(`the acknowledgement deadline is ${String(deadline)} seconds`);
  }
  for (const target of targetNames.filter((target) => target !== 'pollExports' && target !== 'showExports')) {
    if (seconds(target) >= Number(deadline)) {
      problems.push(`${target} can run beyond its acknowledgement deadline`);
    }
  }
  if (seconds('submitExport') > Number(settings['submit_lease_seconds'])) {
    problems.push('submitExport can send after its lease');
  }
  if (seconds('submitExport') <= Number(settings['submit_timeout_seconds'])) {
    problems.push('submitExport can time out while it sends');
  }
  if (seconds('pollExports') <= Number(settings['poll_budget_seconds'])) {
    problems.push('pollExports can time out before its budget is used up');
  }
  return problems;
}

/** A number, or one of the forms in which functions.tf computes one from a setting. */
function secondsOf(stack: Stack, expression: unknown): number {
  if (typeof expression === 'number') {
    return expression;
  }
  const [, setting = '', more = '0'] =
    String(expression).match(/^\$\{ceil\(var\.settings\.(\w+)\)(?: \+ (\d+))?\}$/) ?? [];
  return Number(optionalDefaults(stack.variables['settings'])[setting]) + Number(more);
}

export function deadLetterProblems(stack: Stack): string[] {
  const pushes = at(stack.locals, 'pushes') as Record<Target, { topic: string; dead_letters: boolean }>;
  const policy = at(stack.resources, 'google_pubsub_subscription.push', 'dynamic', 'dead_letter_policy', 0);
  const attempts = Number(at(policy, 'content', 0, 'max_delivery_attempts'));
  const kept = stack.resources['google_pubsub_subscription.dead_letters'];
  const problems: string[] = [];
  if (!String(at(policy, 'for_each')).includes('each.value.dead_letters ?')) {
    problems.push('no dead-letter policy');
  }
  if (!(attempts >= 5 && attempts <= 100)) {
    problems.push(`${attempts} delivery attempts: Pub/Sub accepts 5 to 100`);
  }
  for (const [target, { topic, dead_letters }] of Object.entries(pushes)) {
    if (dead_letters === (topic === 'dead_letters')) {
      problems.push(
        `${target}: ${dead_letters ? 'its dead letters return to it' : 'its failed messages are lost'}`,
      );
    }
  }
  if (!String(at(kept, 'topic')).includes('"dead_letters"')) {
    problems.push('no subscription keeps dead letters');
  }
  if (at(kept, 'message_retention_duration') !== '2678400s') {
    problems.push('dead letters are not kept for 31 days');
  }
  // A replay finds the subscription, and the topic of a dead letter, by these names (replay.ts; infra/local uses them too).
  const { topics } = readConfig({ GOOGLE_CLOUD_PROJECT: 'demo-test' });
  const suffix = keptSubscription(topics).slice(topics.deadLetters.length);
  if (at(kept, 'name') !== `\${var.topics.dead_letters}${suffix}`) {
    problems.push('a replay would pull from another subscription');
  }
  const push = at(stack.resources, 'google_pubsub_subscription.push', 'name');
  if (push !== '${var.topics[each.value.topic]}-push') {
    problems.push('a replay cannot find the topic of a dead letter');
  }
  if (at(kept, 'push_config') !== undefined) {
    problems.push('the subscription that keeps dead letters pushes them');
  }
  for (const grant of ['google_pubsub_topic_iam_member', 'google_pubsub_subscription_iam_member']) {
    const member = at(stack.resources, `${grant}.dead_letters`, 'member');
    if (!String(member).includes('google_project_service_identity.this["pubsub.googleapis.com"].member')) {
      problems.push(`Pub/Sub lacks ${grant}.dead_letters`);
    }
  }
  return problems;
}

/** Every role that is granted. Justify any other one here first. */
const rolesByFile = {
  stack: [
    'roles/artifactregistry.writer',
    'roles/cloudkms.cryptoKeyEncrypterDecrypter',
    'roles/cloudscheduler.jobRunner',
    'roles/datastore.user',
    'roles/datastore.viewer',
    'roles/iap.httpsResourceAccessor',
    'roles/iam.serviceAccountTokenCreator',
    'roles/logging.logWriter',
    'roles/logging.viewer',
    'roles/monitoring.viewer',
    'roles/pubsub.publisher',
    'roles/pubsub.subscriber',
    'roles/run.invoker',
    'roles/serviceusage.serviceUsageConsumer',
    'roles/storage.legacyBucketOwner',
    'roles/storage.objectUser',
    'roles/storage.objectViewer',
  ],
  // Terraform's account, created only if Cloud Build deploys.
  deployer: [
    'roles/artifactregistry.admin',
    'roles/cloudbuild.builds.approver',
    'roles/cloudbuild.builds.editor',
    'roles/cloudfunctions.developer',
    'roles/cloudkms.admin',
    'roles/cloudscheduler.admin',
    'roles/datastore.owner',
    'roles/firebaserules.admin',
    'roles/iam.roleAdmin',
    'roles/iam.serviceAccountAdmin',
    'roles/iam.serviceAccountUser',
    'roles/iam.workloadIdentityPoolViewer',
    'roles/iam.workloadIdentityUser',
    'roles/logging.configWriter',
    'roles/logging.logWriter',
    'roles/monitoring.editor',
    'roles/pubsub.admin',
    'roles/resourcemanager.projectIamAdmin',
    'roles/run.admin',
    'roles/serviceusage.serviceUsageAdmin',
    'roles/storage.admin',
    // The verifier, for the bucket of the bundles.
    'roles/storage.objectCreator',
    'roles/storage.objectUser',
    'roles/storage.objectViewer',
    'roles/vpcaccess.user',
  ],
} as const;

const earthEnginePermissions = {
  cancelExports: ['operations.get', 'operations.list', 'operations.update'],
  sender: ['exports.create', 'operations.get', 'operations.list', 'operations.update'],
};

export function roleProblems(stack: Stack, deployerText: string): string[] {
  const roles = (text: string) => [...new Set(text.match(/(?<!\/)\broles\/[\w.]+/g))];
  const problems = [
    ...differences('the stack', roles(stack.text), rolesByFile.stack),
    ...differences('the deployer', roles(deployerText), rolesByFile.deployer),
  ];
  for (const [name, block] of Object.entries(stack.resources)) {
    if (/_iam_(?:policy|binding)\./.test(name)) {
      problems.push(`${name} removes grants that it did not make`);
    }
    if (JSON.stringify(block).match(/allUsers|allAuthenticatedUsers/)) {
      problems.push(`${name} is open to the public`);
    }
  }
  for (const name of ['records', 'readers', 'operator_records', 'page_records']) {
    const condition = String(
      at(stack.resources, `google_project_iam_member.${name}`, 'condition', 0, 'expression'),
    );
    if (!condition.includes('/databases/${var.firestore.database}')) {
      problems.push(`${name} grants access to every database`);
    }
  }
  const source = at(
    stack.resources,
    'google_project_iam_member.builder_source',
    'condition',
    0,
    'expression',
  );
  if (!String(source).includes('/buckets/gcf-v2-sources-')) {
    problems.push('the builder can read every bucket');
  }
  const granted = at(stack.locals, 'earth_engine_permissions') as Record<string, string[]>;
  for (const [account, wanted] of Object.entries(earthEnginePermissions)) {
    const found = (granted[account] ?? []).map((permission) => permission.replace(/^earthengine\./, ''));
    problems.push(...differences(`${account} at Earth Engine`, found, wanted));
  }
  return problems.concat(differences('Earth Engine', keysOf(granted), keysOf(earthEnginePermissions)));
}

/** CI may grant the roles in this list, so it must name each role that the module grants for a whole project. */
export function projectRoleProblems(stack: Stack): string[] {
  const listed = JSON.stringify(at(stack.locals, 'project_roles'));
  const granted = Object.entries(stack.resources)
    .filter(([name]) => name.startsWith('google_project_iam_member.'))
    .map(([, block]) => String(block['role']));
  const roles = granted.flatMap((role) =>
    role === '${each.value.role}'
      ? (JSON.stringify(at(stack.locals, '_operator_roles')).match(/roles\/[\w.]+/g) ?? [])
      : [role],
  );
  return roles
    .filter(
      (role) =>
        role.startsWith('roles/') && !listed.includes(`"${role}"`) && !listed.includes(`\\"${role}\\"`),
    )
    .map((role) => `local.project_roles lacks ${role}`);
}

export function ingressProblems(stack: Stack): string[] {
  const service = at(stack.resources, 'google_cloudfunctions2_function.this', 'service_config', 0);
  const push = at(stack.resources, 'google_pubsub_subscription.push', 'dynamic', 'push_config', 0);
  const token = at(push, 'content', 0, 'oidc_token', 0);
  const poll = at(stack.resources, 'google_cloud_scheduler_job.poll', 'http_target', 0, 'oidc_token', 0);
  return [
    ...(at(service, 'ingress_settings') ===
    '${each.key == "showExports" ? "ALLOW_ALL" : "ALLOW_INTERNAL_ONLY"}'
      ? []
      : ['functions other than the page accept requests from the internet']),
    ...(token === undefined ? ['pushes have no token'] : []),
    ...(poll === undefined ? ['polls have no token'] : []),
  ];
}

/** Firestore must expire every collection whose schema has expireAt. */
export function expiryProblems(stack: Stack, expiring: readonly string[]): string[] {
  const groups = [...String(at(stack.locals, 'expiring')).matchAll(/"(\w+)"/g)].map(([, name = '']) => name);
  const field = stack.resources['google_firestore_field.expire_at'];
  return [
    ...differences('local.expiring', groups, expiring),
    ...(at(field, 'ttl_config') === undefined ? ['expireAt is not a TTL field'] : []),
    ...(at(field, 'field') === 'expireAt' ? [] : ['TTL is on another field']),
    ...(String(at(stack.locals, 'expiring')).includes('setintersection(local.own_collections,') &&
    String(at(stack.locals, 'shareable_names')).startsWith('${var.firestore.create ?')
      ? []
      : ['TTL would delete documents of another app in its collections request and rejectedMessages']),
  ];
}

export function databaseProblems(stack: Stack): string[] {
  const database = stack.resources['google_firestore_database.this'];
  return [
    ...(at(database, 'delete_protection_state') === 'DELETE_PROTECTION_ENABLED'
      ? []
      : ['no delete protection']),
    ...(at(database, 'point_in_time_recovery_enablement') === 'POINT_IN_TIME_RECOVERY_ENABLED'
      ? []
      : ['no point-in-time recovery']),
    ...['google_firebaserules_ruleset.this', 'google_firebaserules_release.this']
      .filter((name) => at(stack.resources, name, 'count') !== '${var.firestore.create ? 1 : 0}')
      .map((name) => `${name} would replace the rules of another app`),
  ];
}

/** @param source the text of all code that can log */
export function monitoringProblems(stack: Stack, source: string, guide: string): string[] {
  const events = ['counters', 'gauges'].flatMap((kind) =>
    Object.values(
      at(stack.locals, kind) as Record<
        string,
        { event: string; also?: string; field?: string; labels?: string[] }
      >,
    ),
  );
  const metrics = [
    ...['counters', 'gauges'].flatMap((kind) => keysOf(at(stack.locals, kind))),
    'scheduler_failures',
  ];
  const alerts = Object.values(at(stack.locals, 'alerts') as Record<string, { name: string }>);
  const names = [...alerts.map(({ name }) => name), 'Poller not running'];
  const used = [...stack.text.matchAll(/(?:_metric|_ours)}\/(\w+)/g)].map(([, name = '']) => name);
  return [
    ...events
      .flatMap(({ event, also }) => (also === undefined ? [event] : [event, also]))
      .filter((event) => !source.includes(`'${event}'`))
      .map((event) => `no code logs ${event}`),
    ...events
      .flatMap(({ field, labels = [] }) => (field === undefined ? labels : [field]))
      .filter((field) => !new RegExp(`\\b${field}\\b`).test(source))
      .map((field) => `no log line has ${field}`),
    ...used.filter((metric) => !metrics.includes(metric)).map((metric) => `there is no metric ${metric}`),
    ...metrics.filter((metric) => !used.includes(metric)).map((metric) => `the metric ${metric} is not used`),
    ...names
      .filter((name) => !guide.includes(`\n### ${name}\n`))
      .map((name) => `OPERATIONS.md has no section for the alert "${name}"`),
  ];
}

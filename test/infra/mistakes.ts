/** What goes wrong in files like these, each planted in the real stack, and what its check must say. */
export type Mistake = [
  what: string,
  check:
    | 'environment'
    | 'defaults'
    | 'unused'
    | 'targets'
    | 'accounts'
    | 'timeouts'
    | 'deadLetters'
    | 'ingress'
    | 'database'
    | 'roles'
    | 'expiry'
    | 'indexes'
    | 'exemptions'
    | 'monitoring',
  path: readonly (string | number)[],
  /** Undefined: what is there is taken out. */
  value: unknown,
  problem: RegExp,
];

const push = ['resources', 'google_pubsub_subscription.push'];
const functions = ['locals', 'functions'];

export const mistakes: readonly Mistake[] = [
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
  ['another acknowledgement deadline', 'timeouts', [...push, 'ack_deadline_seconds'], 590, /is 590 seconds/],
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
  ['a submit cut short', 'timeouts', [...functions, 'submitExport', 'timeout_seconds'], 60, /while it sends/],
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
    'a subscription that a replay does not find',
    'deadLetters',
    ['resources', 'google_pubsub_subscription.dead_letters', 'name'],
    'dead',
    /looks for another subscription/,
  ],
  [
    'a subscription whose name does not tell its topic',
    'deadLetters',
    ['resources', 'google_pubsub_subscription.push', 'name'],
    '${each.key}',
    /cannot tell the topic/,
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
    /pendingEvents asks for/,
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
];

/** Mistakes that are planted in the real stack one by one, and the problem that the check must report. */
export type Mistake = [
  title: string,
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
    | 'keeping'
    | 'publishing'
    | 'roles'
    | 'grants'
    | 'expiry'
    | 'indexes'
    | 'exemptions'
    | 'monitoring',
  path: readonly (string | number)[],
  /** Undefined removes what is there. */
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
    ['locals', 'environment', 'COLOR'],
    '${var.color}',
    /COLOR, which the code/,
  ],
  [
    'an emulator in the cloud',
    'environment',
    ['locals', 'environment', 'PUBSUB_EMULATOR_HOST'],
    '${var.x}',
    /PUBSUB_EMULATOR_HOST/,
  ],
  [
    'a setting that cannot be set',
    'environment',
    ['locals', 'environment', 'STALLED_HOURS'],
    '24',
    /STALLED_HOURS cannot be set/,
  ],
  [
    'error messages in responses',
    'environment',
    ['locals', 'node_environment', 'NODE_ENV'],
    undefined,
    /lacks NODE_ENV/,
  ],
  [
    'a different default',
    'defaults',
    ['variables', 'topics', 'type'],
    '${object({\n jobs = optional(string, "jobs")\n})}',
    /JOBS_TOPIC is jobs/,
  ],
  ['an unused variable', 'unused', ['variables', 'color'], { description: 'x' }, /var\.color is not used/],
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
    'two accounts that call Earth Engine',
    'accounts',
    ['locals', 'runs_as', 'pollExports'],
    'expandBatch',
    /different accounts/,
  ],
  [
    'a shared account',
    'accounts',
    ['locals', 'runs_as', 'recordDeadLetter'],
    'expandBatch',
    /shares an account/,
  ],
  [
    'a short acknowledgement deadline',
    'timeouts',
    [...push, 'ack_deadline_seconds'],
    60,
    /beyond its acknowledgement/,
  ],
  [
    'a different acknowledgement deadline',
    'timeouts',
    [...push, 'ack_deadline_seconds'],
    590,
    /is 590 seconds/,
  ],
  [
    'a long function',
    'timeouts',
    [...functions, 'expandBatch', 'timeout_seconds'],
    900,
    /expandBatch can run beyond/,
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
    'failed messages that are lost',
    'deadLetters',
    ['locals', 'pushes', 'submitExport', 'dead_letters'],
    false,
    /messages are lost/,
  ],
  [
    'dead letters in a loop',
    'deadLetters',
    ['locals', 'pushes', 'recordDeadLetter', 'dead_letters'],
    true,
    /return to it/,
  ],
  [
    'dead letters that are not kept',
    'deadLetters',
    ['resources', 'google_pubsub_subscription.dead_letters'],
    undefined,
    /no subscription keeps/,
  ],
  [
    'a subscription that a replay does not find',
    'deadLetters',
    ['resources', 'google_pubsub_subscription.dead_letters', 'name'],
    'dead',
    /from another subscription/,
  ],
  [
    'a subscription whose name does not contain its topic',
    'deadLetters',
    ['resources', 'google_pubsub_subscription.push', 'name'],
    '${each.key}',
    /cannot find the topic/,
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
    /from the internet/,
  ],
  [
    'pushes without a token',
    'ingress',
    [...push, 'dynamic', 'push_config', 0, 'content', 0, 'oidc_token'],
    undefined,
    /have no token/,
  ],
  [
    'no delete protection',
    'database',
    ['resources', 'google_firestore_database.this', 'delete_protection_state'],
    undefined,
    /delete protection/,
  ],
  [
    'no point-in-time recovery',
    'database',
    ['resources', 'google_firestore_database.this', 'point_in_time_recovery_enablement'],
    undefined,
    /recovery/,
  ],
  [
    'messages that are kept for a day',
    'keeping',
    [...push, 'message_retention_duration'],
    '86400s',
    /as long as the code waits/,
  ],
  [
    'few delivery attempts',
    'keeping',
    [...push, 'dynamic', 'dead_letter_policy', 0, 'content', 0, 'max_delivery_attempts'],
    5,
    /makes dead letters/,
  ],
  [
    'a subscription that expires',
    'keeping',
    ['resources', 'google_pubsub_subscription.dead_letters', 'expiration_policy'],
    undefined,
    /dead_letters expires/,
  ],
  [
    'a short deadline of Cloud Scheduler',
    'keeping',
    ['resources', 'google_cloud_scheduler_job.poll', 'attempt_deadline'],
    '180s',
    /a long poll as failed/,
  ],
  [
    'records that are destroyed with the stack',
    'keeping',
    ['resources', 'google_firestore_database.this', 'deletion_policy'],
    'DELETE',
    /deletes the records/,
  ],
  [
    'videos that are destroyed with the stack',
    'keeping',
    ['resources', 'google_storage_bucket.exports', 'force_destroy'],
    true,
    /deletes the videos/,
  ],
  [
    'a topic that its publisher cannot publish to',
    'publishing',
    ['locals', 'publishes_to', 'sender', 0],
    'jobs',
    /sender can publish to jobs/,
  ],
  [
    'public access',
    'roles',
    ['resources', 'google_cloud_run_v2_service_iam_member.invoker', 'member'],
    'allUsers',
    /open to the public/,
  ],
  [
    'a binding that removes grants',
    'roles',
    ['resources', 'google_project_iam_binding.x'],
    {},
    /removes grants/,
  ],
  [
    'more permissions at Earth Engine',
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
    /access to every database/,
  ],
  [
    'a builder that reads every bucket',
    'roles',
    ['resources', 'google_project_iam_member.builder_source', 'condition'],
    undefined,
    /can read every bucket/,
  ],
  [
    'TTL on a collection of another app',
    'expiry',
    ['locals', 'shareable_names'],
    ['request', 'rejectedMessages'],
    /delete documents of another app .* request/,
  ],
  [
    'rules for a database of another app',
    'database',
    ['resources', 'google_firebaserules_release.this', 'count'],
    1,
    /release\.this would replace the rules/,
  ],
  [
    'a grant that CI could not make',
    'grants',
    ['resources', 'google_project_iam_member.builder', 'role'],
    'roles/editor',
    /project_roles lacks roles\/editor/,
  ],
  [
    'documents that never expire',
    'expiry',
    ['locals', 'expiring'],
    '${setintersection(local.own_collections, ["videoExports"])}',
    /lacks .*rejectedMessages/,
  ],
  [
    'no TTL',
    'expiry',
    ['resources', 'google_firestore_field.expire_at', 'ttl_config'],
    undefined,
    /not a TTL field/,
  ],
  [
    'a query without an index',
    'indexes',
    ['locals', 'composites', 'videoExports', 'project-queue'],
    undefined,
    /queued has no index/,
  ],
  [
    'an index in the wrong direction',
    'indexes',
    ['locals', 'composites', 'videoExports', 'project-queue', 3],
    'priority',
    /queued has no index/,
  ],
  ['an unused index', 'indexes', ['locals', 'composites', 'videoExports', 'x'], ['a', 'b'], /no query uses/],
  [
    'a query for a field that is not indexed',
    'exemptions',
    ['locals', 'large_fields', 'videoExports', 0],
    'unpublishedEvents',
    /pendingEvents uses/,
  ],
  [
    'a metric of an event that is not logged',
    'monitoring',
    ['locals', 'counters', 'polls', 'event'],
    'poll.done',
    /no code logs poll\.done/,
  ],
  [
    'an alert without a section in OPERATIONS.md',
    'monitoring',
    ['locals', 'alerts', 'stalled', 'name'],
    'Snail',
    /"Snail"/,
  ],
];

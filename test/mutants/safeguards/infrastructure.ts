import { type Mutant, mutantsOf } from '../mutant.ts';

const stack = ['test/infra/stack.test.ts'];

/** Terraform: roles, timeouts, and what keeps messages and documents. */
export const infrastructure: readonly Mutant[] = [
  ...mutantsOf('infra/modules/ee-video-exports/functions.tf', stack, [
    {
      name: 'submit-beyond-its-lease',
      removes: 'submitExport cannot send after its lease',
      rule: 3,
      find: 'timeout_seconds = ceil(var.settings.submit_lease_seconds)',
      replace: 'timeout_seconds = 300',
    },
    {
      name: 'poll-cut-short',
      removes: 'a poll has time for calls in progress at the end of its budget',
      find: 'ceil(var.settings.poll_budget_seconds) + 60',
      replace: 'ceil(var.settings.poll_budget_seconds)',
    },
    {
      name: 'public-functions',
      removes: 'functions accept no request from the internet',
      find: 'each.key == "showExports" ? "ALLOW_ALL" : "ALLOW_INTERNAL_ONLY"',
      replace: '"ALLOW_ALL"',
    },
    {
      name: 'setting-not-passed-on',
      removes: 'every setting is passed on',
      find: '    SUBMIT_LEASE_SECONDS            = tostring(var.settings.submit_lease_seconds)\n',
      replace: '',
    },
    {
      name: 'stack-traces-in-responses',
      removes: "responses contain no error's text",
      find: '    NODE_ENV                    = "production"\n',
      replace: '',
    },
  ]),
  ...mutantsOf('infra/modules/ee-video-exports/pubsub.tf', stack, [
    {
      name: 'redelivered-while-handled',
      removes: 'no message is redelivered while a function handles it',
      find: '  ack_deadline_seconds       = 600\n  message_retention_duration = "604800s"',
      replace: '  ack_deadline_seconds       = 60\n  message_retention_duration = "604800s"',
    },
    {
      name: 'messages-kept-for-a-day',
      removes: 'messages are kept as long as the code expects them',
      rule: 13,
      find: 'message_retention_duration = "604800s"',
      replace: 'message_retention_duration = "86400s"',
    },
    {
      name: 'dead-letters-kept-for-a-week',
      removes: 'dead letters are kept for 31 days',
      find: 'message_retention_duration = "2678400s"',
      replace: 'message_retention_duration = "604800s"',
    },
    {
      name: 'dead-letters-in-a-loop',
      removes: 'a dead letter does not become one again',
      find: 'topic = "dead_letters", dead_letters = false',
      replace: 'topic = "dead_letters", dead_letters = true',
    },
    {
      name: 'failed-jobs-lost',
      removes: 'a job message that fails becomes a dead letter',
      find: 'topic = "jobs", dead_letters = true',
      replace: 'topic = "jobs", dead_letters = false',
    },
    {
      name: 'dead-after-minutes',
      removes: 'an outage of an hour creates no dead letters',
      find: 'max_delivery_attempts = 50',
      replace: 'max_delivery_attempts = 5',
    },
    {
      name: 'subscription-expires',
      removes: 'the subscription that keeps dead letters does not expire',
      find: '  message_retention_duration = "2678400s"\n\n  expiration_policy {\n    ttl = ""\n  }',
      replace: '  message_retention_duration = "2678400s"',
    },
    {
      name: 'push-without-token',
      removes: 'a push has a token',
      find: '      oidc_token {\n        service_account_email = google_service_account.invoker.email\n        audience              = push_config.value\n      }\n',
      replace: '',
    },
  ]),
  ...mutantsOf('infra/modules/ee-video-exports/service-accounts.tf', stack, [
    {
      name: 'two-senders',
      removes: 'both functions that send use one account',
      rule: 11,
      find: 'pollExports      = "sender"',
      replace: 'pollExports      = "expandBatch"',
    },
  ]),
  ...mutantsOf('infra/modules/ee-video-exports/iam.tf', stack, [
    {
      name: 'sender-cannot-list',
      removes: 'the sender can list operations',
      rule: 5,
      find: '    sender = [\n      "earthengine.exports.create",\n      "earthengine.operations.get",\n      "earthengine.operations.list",',
      replace: '    sender = [\n      "earthengine.exports.create",\n      "earthengine.operations.get",',
    },
    {
      name: 'canceler-can-export',
      removes: 'cancelExports cannot start an export',
      find: '    cancelExports = [\n',
      replace: '    cancelExports = [\n      "earthengine.exports.create",\n',
    },
    {
      name: 'every-database',
      removes: 'the functions can write only their own database',
      find: '  role     = "roles/datastore.user"\n  member   = each.value.member\n\n  condition {\n    title      = "video-exports-database"\n    expression = "resource.name == \'projects/${var.project_id}/databases/${var.firestore.database}\'"',
      replace:
        '  role     = "roles/datastore.user"\n  member   = each.value.member\n\n  condition {\n    title      = "video-exports-database"\n    expression = "resource.name != \'\'"',
    },
    {
      name: 'database-owner',
      removes: 'the functions have no more roles than they need',
      find: 'role     = "roles/datastore.user"\n  member   = each.value.member',
      replace: 'role     = "roles/datastore.owner"\n  member   = each.value.member',
    },
    {
      name: 'builder-reads-every-bucket',
      removes: 'the builder reads only the source of functions',
      find: "resource.name.startsWith('projects/_/buckets/gcf-v2-sources-${data.google_project.this.number}-')",
      replace: "resource.name.startsWith('projects/_/buckets/')",
    },
    {
      name: 'dead-letters-not-forwarded',
      removes: 'Pub/Sub can forward dead letters',
      find: '  topic   = google_pubsub_topic.this["dead_letters"].id\n  role    = "roles/pubsub.publisher"\n  member  = google_project_service_identity.this["pubsub.googleapis.com"].member',
      replace:
        '  topic   = google_pubsub_topic.this["dead_letters"].id\n  role    = "roles/pubsub.publisher"\n  member  = google_service_account.invoker.member',
    },
    {
      name: 'events-not-published',
      removes: 'each function can publish to the topics that its code uses',
      find: 'sender           = ["events", "dead_letters", "polls"]',
      replace: 'sender           = ["dead_letters", "polls"]',
    },
  ]),
  ...mutantsOf('infra/modules/ee-video-exports/scheduler.tf', stack, [
    {
      name: 'long-polls-counted-as-failed',
      removes: 'Cloud Scheduler waits for a whole poll',
      find: '${local.functions.pollExports.timeout_seconds + 20}s',
      replace: '180s',
    },
    {
      name: 'poll-without-token',
      removes: 'a poll has a token',
      find: '    oidc_token {\n      service_account_email = google_service_account.invoker.email\n      audience              = google_cloudfunctions2_function.this["pollExports"].service_config[0].uri\n    }\n',
      replace: '',
    },
  ]),
  ...mutantsOf('infra/modules/ee-video-exports/firestore.tf', stack, [
    {
      name: 'records-never-expire',
      removes: 'documents that are finished expire',
      find: 'expiring = setintersection(local.own_collections, ["videoExports", ',
      replace: 'expiring = setintersection(local.own_collections, [',
    },
    {
      name: 'database-not-protected',
      removes: 'the database is protected from deletion',
      find: 'DELETE_PROTECTION_ENABLED',
      replace: 'DELETE_PROTECTION_DISABLED',
    },
    {
      name: 'no-recovery',
      removes: 'the database can be restored to a point in time',
      find: 'POINT_IN_TIME_RECOVERY_ENABLED',
      replace: 'POINT_IN_TIME_RECOVERY_DISABLED',
    },
    {
      name: 'records-destroyed-with-the-stack',
      removes: 'terraform destroy keeps the records',
      find: 'deletion_policy = "ABANDON"',
      replace: 'deletion_policy = "DELETE"',
    },
    {
      name: 'query-without-index',
      removes: 'every query has its index',
      rule: 14,
      find: '      state-due           = ["state", "dueAt"]\n',
      replace: '',
    },
  ]),
  ...mutantsOf('infra/modules/ee-video-exports/storage.tf', stack, [
    {
      name: 'videos-destroyed-with-the-stack',
      removes: 'terraform destroy keeps the videos',
      find: 'force_destroy = false',
      replace: 'force_destroy = true',
    },
  ]),
];

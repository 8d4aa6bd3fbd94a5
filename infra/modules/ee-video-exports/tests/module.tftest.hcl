# Checks the plan with a mocked provider: relations between resources that are not visible in the text of the files.

mock_provider "google" {
  source = "./tests/mocks"
}

mock_provider "time" {}

variables {
  project_id       = "demo-exports"
  bundle_directory = "tests/bundles"
  export_buckets   = { "demo-exports-videos" = {} }
}

run "every_delivery_ends_before_its_deadline" {
  command = apply

  assert {
    condition = alltrue([
      for target, push in google_pubsub_subscription.push :
      google_cloudfunctions2_function.this[target].service_config[0].timeout_seconds < push.ack_deadline_seconds
    ])
    error_message = "A function's timeout is not below its subscription's acknowledgement deadline."
  }

  assert {
    condition = alltrue([
      for target, push in google_pubsub_subscription.push :
      one(one(push.push_config).oidc_token).audience == one(push.push_config).push_endpoint
    ])
    error_message = "The token of a push is for a different URL."
  }

  assert {
    condition = (
      tonumber(trimsuffix(google_cloud_scheduler_job.poll.attempt_deadline, "s")) >
      google_cloudfunctions2_function.this["pollExports"].service_config[0].timeout_seconds
    )
    error_message = "Cloud Scheduler's deadline is shorter than a run."
  }

  assert {
    condition = (
      google_cloudfunctions2_function.this["pollExports"].service_config[0].timeout_seconds >
      var.settings.poll_budget_seconds
    )
    error_message = "A run is stopped before its budget is used up."
  }
}

run "dead_letters_are_kept_and_recorded" {
  command = apply

  assert {
    condition = alltrue([
      for target in ["submitExport", "expandBatch", "cancelExports"] :
      one(google_pubsub_subscription.push[target].dead_letter_policy).dead_letter_topic == google_pubsub_topic.this["dead_letters"].id
    ])
    error_message = "A subscription has no dead-letter policy."
  }

  assert {
    condition     = length(google_pubsub_subscription.push["recordDeadLetter"].dead_letter_policy) == 0
    error_message = "A dead letter could become its own dead letter."
  }

  assert {
    condition     = google_pubsub_subscription.dead_letters.topic == google_pubsub_topic.this["dead_letters"].id
    error_message = "No subscription keeps the dead letters."
  }

  assert {
    condition     = google_pubsub_topic_iam_member.dead_letters.member == "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com"
    error_message = "Pub/Sub cannot publish dead letters."
  }
}

run "only_the_two_senders_share_an_account" {
  command = plan

  assert {
    condition     = local.runs_as["submitExport"] == local.runs_as["pollExports"]
    error_message = "Earth Engine deduplicates by account: submitExport and pollExports must share one."
  }

  assert {
    condition     = length(distinct(values(local.runs_as))) == 5
    error_message = "Another function shares an account."
  }

  assert {
    condition     = toset(values(local.runs_as)) == toset(keys(google_service_account.function))
    error_message = "An account is missing or not used."
  }
}

run "every_earth_engine_project_has_its_roles" {
  command = plan

  variables {
    earth_engine_projects = ["demo-exports", "demo-other"]
  }

  assert {
    condition     = length(google_project_iam_member.earth_engine) == 4
    error_message = "sender and cancelExports need a grant in each project."
  }

  assert {
    condition     = google_cloudfunctions2_function.this["submitExport"].service_config[0].environment_variables["ALLOWED_PROJECTS"] == "demo-exports,demo-other"
    error_message = "ALLOWED_PROJECTS differs from earth_engine_projects."
  }
}

run "pausing_stops_the_poller_and_every_schedule" {
  command = plan

  variables {
    paused    = true
    schedules = { weekly = { cron = "0 6 * * 1", manifest = "tests/manifest.json" } }
  }

  assert {
    condition     = google_cloud_scheduler_job.poll.paused && google_cloud_scheduler_job.batch["weekly"].paused
    error_message = "A schedule is not paused."
  }

  assert {
    condition     = !google_monitoring_alert_policy.poll_silent.enabled
    error_message = "Pausing would fire an alert."
  }
}

run "a_schedule_publishes_its_manifest" {
  command = plan

  variables {
    schedules = { weekly = { cron = "0 6 * * 1", manifest = "tests/manifest.json" } }
  }

  assert {
    condition     = jsondecode(base64decode(one(google_cloud_scheduler_job.batch["weekly"].pubsub_target).data)).batchId == "weekly"
    error_message = "The schedule does not publish the manifest unchanged."
  }
}

run "a_manifest_that_is_not_json_is_rejected" {
  command = plan

  variables {
    schedules = { broken = { cron = "0 6 * * 1", manifest = "tests/bundles/submitExport.zip" } }
  }

  expect_failures = [google_cloud_scheduler_job.batch]
}

run "a_lease_longer_than_a_delivery_is_rejected" {
  command = plan

  variables {
    settings = { submit_lease_seconds = 600 }
  }

  expect_failures = [var.settings]
}

run "a_timeout_as_long_as_the_lease_is_rejected" {
  command = plan

  variables {
    settings = { submit_timeout_seconds = 120 }
  }

  expect_failures = [var.settings]
}

run "a_stack_without_destinations_is_rejected" {
  command = plan

  variables {
    export_buckets = {}
  }

  expect_failures = [google_cloudfunctions2_function.this]
}

run "labels_are_indexed_by_name" {
  command = plan

  variables {
    indexed_labels = ["team", "cost-centre"]
  }

  assert {
    condition     = google_firestore_index.this["videoExports/label-team"].fields[0].field_path == "labels.team"
    error_message = "A plain label is quoted."
  }

  assert {
    condition     = google_firestore_index.this["videoExports/label-cost-centre"].fields[0].field_path == "labels.`cost-centre`"
    error_message = "A label with a hyphen is not quoted."
  }
}

run "a_database_of_the_stack_gets_its_rules" {
  command = apply

  assert {
    condition = (
      google_firebaserules_release.this[0].name == "cloud.firestore" &&
      google_firebaserules_release.this[0].ruleset_name == "projects/demo-exports/rulesets/12345678"
    )
    error_message = "The rules are not released for the default database."
  }

  assert {
    condition     = strcontains(one(one(google_firebaserules_ruleset.this[0].source).files).content, "allow read, write: if false")
    error_message = "The rules do not deny access."
  }
}

run "a_named_database_gets_its_own_rules" {
  command = apply

  variables {
    firestore = { database = "exports", daily_backup_days = 7, weekly_backup_days = 98 }
  }

  assert {
    condition     = google_firebaserules_release.this[0].name == "cloud.firestore/exports"
    error_message = "The rules would replace those of the default database."
  }

  assert {
    condition = alltrue(concat(
      [for index in google_firestore_index.this : index.database == "exports"],
      [for field in google_firestore_field.expire_at : field.database == "exports"],
      [for field in google_firestore_field.unindexed : field.database == "exports"],
    ))
    error_message = "An index is in another database."
  }

  assert {
    condition = alltrue([
      for grant in google_project_iam_member.records :
      one(grant.condition).expression == "resource.name == 'projects/demo-exports/databases/exports'"
    ])
    error_message = "A grant is for another database."
  }

  assert {
    condition = (
      google_firestore_backup_schedule.daily[0].retention == "604800s" &&
      google_firestore_backup_schedule.weekly[0].retention == "8467200s"
    )
    error_message = "The backups are not kept as long as they should be."
  }
}

run "an_existing_database_keeps_its_rules" {
  command = apply

  variables {
    firestore = { create = false }
  }

  assert {
    condition = (
      length(google_firestore_database.this) == 0 &&
      length(google_firebaserules_ruleset.this) == 0 &&
      length(google_firebaserules_release.this) == 0
    )
    error_message = "The stack changes a database that it did not create."
  }

  assert {
    condition = alltrue(concat(
      [for index in google_firestore_index.this : startswith(index.collection, "videoExport")],
      [for field in google_firestore_field.expire_at : startswith(field.collection, "videoExport")],
      [for field in google_firestore_field.unindexed : startswith(field.collection, "videoExport")],
    ))
    error_message = "The stack changes a collection group that another app could use."
  }
}

run "backups_of_an_existing_database_are_rejected" {
  command = plan

  variables {
    firestore = { create = false, daily_backup_days = 7 }
  }

  expect_failures = [var.firestore]
}

run "a_key_encrypts_everything_that_is_stored" {
  command = apply

  variables {
    kms_key_name = "projects/demo-keys/locations/us-central1/keyRings/ring/cryptoKeys/key"
  }

  assert {
    condition = alltrue(concat(
      [for topic in google_pubsub_topic.this : topic.kms_key_name == var.kms_key_name],
      [for bucket in google_storage_bucket.exports : one(bucket.encryption).default_kms_key_name == var.kms_key_name],
      [for function in google_cloudfunctions2_function.this : function.kms_key_name == var.kms_key_name],
      [
        one(google_storage_bucket.source.encryption).default_kms_key_name == var.kms_key_name,
        one(google_firestore_database.this[0].cmek_config).kms_key_name == var.kms_key_name,
        google_artifact_registry_repository.this.kms_key_name == var.kms_key_name,
      ],
    ))
    error_message = "Something is stored without the key."
  }

  assert {
    condition = toset(keys(google_kms_crypto_key_iam_member.this)) == toset([
      "artifactregistry.googleapis.com",
      "cloudfunctions.googleapis.com",
      "firestore.googleapis.com",
      "pubsub.googleapis.com",
      "run.googleapis.com",
      "storage.googleapis.com",
    ])
    error_message = "A service cannot use the key."
  }
}

run "a_key_of_another_region_is_rejected" {
  command = plan

  variables {
    kms_key_name = "projects/demo-keys/locations/europe-west1/keyRings/ring/cryptoKeys/key"
  }

  expect_failures = [var.kms_key_name]
}

run "without_a_key_nothing_refers_to_one" {
  command = plan

  assert {
    condition = (
      length(google_kms_crypto_key_iam_member.this) == 0 &&
      length(time_sleep.encryption) == 0 &&
      toset(keys(google_project_service_identity.this)) == toset(["pubsub.googleapis.com"])
    )
    error_message = "The stack needs a key although none is set."
  }
}

run "functions_use_the_connector" {
  command = plan

  variables {
    vpc = { connector = "projects/demo-net/locations/us-central1/connectors/c", egress = "ALL_TRAFFIC" }
  }

  assert {
    condition = alltrue([
      for function in google_cloudfunctions2_function.this :
      function.service_config[0].vpc_connector == var.vpc.connector &&
      function.service_config[0].vpc_connector_egress_settings == "ALL_TRAFFIC"
    ])
    error_message = "A function does not use the connector."
  }
}

run "operators_get_what_the_command_line_needs" {
  command = apply

  variables {
    operators = ["group:operators@example.com"]
  }

  assert {
    condition = toset([for grant in google_pubsub_topic_iam_member.operators : grant.topic]) == toset([
      for topic in ["jobs", "batches", "cancellations", "events"] : google_pubsub_topic.this[topic].id
    ])
    error_message = "An operator cannot publish to a topic, or can publish to another one."
  }

  assert {
    condition = (
      google_pubsub_subscription_iam_member.operators["group:operators@example.com"].subscription == google_pubsub_subscription.dead_letters.id &&
      google_project_iam_member.operator_records["group:operators@example.com"].role == "roles/datastore.user"
    )
    error_message = "An operator cannot replay dead letters or change records."
  }
}

run "held_messages_stay_in_their_subscriptions" {
  command = plan

  variables {
    hold_messages = true
  }

  assert {
    condition = alltrue([
      for target in ["submitExport", "expandBatch", "cancelExports"] :
      length(google_pubsub_subscription.push[target].push_config) == 0
    ])
    error_message = "A subscription still delivers."
  }

  assert {
    condition     = length(google_pubsub_subscription.push["recordDeadLetter"].push_config) == 1
    error_message = "Dead letters are not recorded any more."
  }

  assert {
    condition     = !google_monitoring_alert_policy.threshold["push_backlog"].enabled
    error_message = "Held messages would fire an alert."
  }
}

run "every_alert_reaches_its_recipients_and_links_to_its_runbook" {
  command = apply

  variables {
    alerts = {
      channels    = ["projects/demo-exports/notificationChannels/42"]
      emails      = ["oncall@example.com"]
      runbook_url = "https://git.example.com/OPERATIONS.md"
    }
  }

  assert {
    condition = alltrue([
      for policy in concat(values(google_monitoring_alert_policy.threshold), [google_monitoring_alert_policy.poll_silent]) :
      length(policy.notification_channels) == 2 &&
      contains(policy.notification_channels, "projects/demo-exports/notificationChannels/42") &&
      one(one(policy.alert_strategy).notification_channel_strategy).renotify_interval == "86400s"
    ])
    error_message = "An alert does not reach or remind its recipients."
  }

  assert {
    condition = alltrue([
      for policy in concat(values(google_monitoring_alert_policy.threshold), [google_monitoring_alert_policy.poll_silent]) :
      one(one(policy.documentation).links).url ==
      "https://git.example.com/OPERATIONS.md#${lower(replace(trimprefix(policy.display_name, "Video exports: "), " ", "-"))}"
    ])
    error_message = "An alert does not link to its runbook."
  }
}

run "recipients_need_a_runbook" {
  command = plan

  variables {
    alerts = { emails = ["oncall@example.com"] }
  }

  expect_failures = [var.alerts]
}

# 0 belongs to the bucket without a lower bound, so a percentile above 0 says nothing.
run "no_alert_compares_a_distribution_with_zero" {
  command = plan

  assert {
    condition = alltrue(flatten([
      for alert in local.alerts : [
        for condition in alert.conditions : condition.above > 0 || !startswith(condition.aligner, "ALIGN_PERCENTILE")
      ]
    ]))
    error_message = "An alert on a percentile has the threshold 0."
  }
}

run "a_poller_that_never_ran_is_noticed" {
  command = plan

  assert {
    condition = anytrue([
      for condition in google_monitoring_alert_policy.poll_silent.conditions :
      length(condition.condition_threshold) == 1 &&
      try(strcontains(one(condition.condition_threshold).filter, "scheduler_failures"), false)
    ])
    error_message = "Only the poller itself could report that it does not run."
  }

  assert {
    condition     = strcontains(google_logging_metric.scheduler_failures.filter, "cloud_scheduler_job")
    error_message = "The failures are not those of Cloud Scheduler."
  }

  assert {
    condition = strcontains(
      google_logging_metric.counter["failing_polls"].filter,
      "jsonPayload.event=(\"poll.finished\" OR \"poll.project\") AND jsonPayload.failed>0",
    )
    error_message = "With more than eight projects, the runs of single projects would fail unnoticed."
  }
}

# Cloud Monitoring drops them, so each later plan would show a change.
run "the_dashboard_has_no_zero_and_no_empty_value" {
  command = apply

  assert {
    condition     = !can(regex(":(0|\\[\\]|\\{\\}|\"\"|null)[,}]", google_monitoring_dashboard.this.dashboard_json))
    error_message = "The dashboard has a zero or an empty value."
  }

  assert {
    condition = length(distinct([
      for tile in jsondecode(google_monitoring_dashboard.this.dashboard_json).mosaicLayout.tiles :
      "${try(tile.xPos, 0)}/${try(tile.yPos, 0)}"
    ])) == length(local.charts)
    error_message = "Two tiles have the same position."
  }
}

run "former_bundles_stay" {
  command = apply

  assert {
    condition     = alltrue([for object in google_storage_bucket_object.source : object.deletion_policy == "ABANDON"])
    error_message = "An update deletes the bundle that you could roll back to."
  }

  assert {
    condition     = one(one(google_storage_bucket.source.lifecycle_rule).condition).age == 365
    error_message = "Old bundles are kept forever."
  }
}

run "the_first_job_can_write_to_the_bucket" {
  command = apply

  assert {
    condition = jsondecode(output.first_job).request.fileExportOptions.cloudStorageDestination == {
      bucket         = "demo-exports-videos"
      filenamePrefix = "first-video"
    }
    error_message = "The first job writes somewhere else."
  }
}

run "the_first_job_respects_allowed_destinations" {
  command = apply

  variables {
    allowed_destinations = ["drive:*", "gs://other-bucket/team/videos-*"]
  }

  assert {
    condition = jsondecode(output.first_job).request.fileExportOptions.cloudStorageDestination == {
      bucket         = "other-bucket"
      filenamePrefix = "team/videos-first-video"
    }
    error_message = "The first job would be rejected."
  }
}

run "the_owner_of_a_foreign_bucket_gets_a_command" {
  command = apply

  variables {
    export_buckets = {
      "demo-exports-videos" = {}
      "foreign-videos"      = { create = false, grant = false }
    }
  }

  assert {
    condition = (
      keys(google_storage_bucket_iam_member.exports) == ["demo-exports-videos"] &&
      output.grants == ["gcloud storage buckets add-iam-policy-binding gs://foreign-videos --member=serviceAccount:account@demo-exports.iam.gserviceaccount.com --role=roles/storage.objectUser"]
    )
    error_message = "The owner of the foreign bucket gets no command, or the stack changes its access."
  }
}

run "public_videos_are_possible_only_where_they_are_wanted" {
  command = apply

  variables {
    export_buckets = {
      "demo-exports-videos" = {}
      "demo-public-videos"  = { public = true }
      "foreign-videos"      = { create = false, grant = false, public = true }
    }
  }

  assert {
    condition = (
      google_storage_bucket.exports["demo-exports-videos"].uniform_bucket_level_access &&
      google_storage_bucket.exports["demo-exports-videos"].public_access_prevention == "enforced" &&
      !google_storage_bucket.exports["demo-public-videos"].uniform_bucket_level_access &&
      google_storage_bucket.exports["demo-public-videos"].public_access_prevention == "inherited"
    )
    error_message = "The wrong bucket can be made public."
  }

  assert {
    condition = (
      keys(google_storage_bucket_iam_member.public) == ["demo-public-videos"] &&
      google_storage_bucket_iam_member.public["demo-public-videos"].role == "roles/storage.legacyBucketOwner" &&
      length([for command in output.grants : command if endswith(command, "--role=roles/storage.legacyBucketOwner")]) == 1
    )
    error_message = "Earth Engine refuses permissions: PUBLIC."
  }
}

run "ci_may_grant_ten_roles_at_most" {
  command = plan

  variables {
    earth_engine_projects = ["demo-other", "demo-exports"]
  }

  assert {
    condition     = length(local.project_roles["demo-exports"]) <= 10 && length(local.project_roles["demo-other"]) == 3
    error_message = "The condition of the deployer's grant has too many or too few roles."
  }
}

run "the_page_is_for_its_viewers_only" {
  command = apply

  variables {
    page = { viewers = ["group:maps@example.com"] }
  }

  assert {
    condition = (
      keys(google_cloud_run_v2_service_iam_member.viewers) == ["group:maps@example.com"] &&
      google_cloud_run_v2_service_iam_member.viewers["group:maps@example.com"].role == "roles/run.invoker" &&
      length(google_iap_web_cloud_run_service_iam_member.viewers) == 0
    )
    error_message = "The viewers cannot call the page, or others can."
  }

  assert {
    condition = (
      !contains(keys(google_project_iam_member.records), "showExports") &&
      google_project_iam_member.page_records.role == "roles/datastore.viewer" &&
      !contains(keys(google_cloud_run_v2_service_iam_member.invoker), "showExports")
    )
    error_message = "The page can write, or Pub/Sub's caller can open it."
  }

  assert {
    condition = alltrue([
      for target, function in google_cloudfunctions2_function.this :
      function.service_config[0].ingress_settings == "ALLOW_INTERNAL_ONLY" if target != "showExports"
    ])
    error_message = "Another function accepts requests from the internet."
  }
}

run "viewers_can_sign_in_with_a_browser" {
  command = apply

  variables {
    page = { iap = true, viewers = ["group:maps@example.com"] }
  }

  assert {
    condition = (
      length(google_cloud_run_v2_service_iam_member.viewers) == 0 &&
      google_iap_web_cloud_run_service_iam_member.viewers["group:maps@example.com"].role == "roles/iap.httpsResourceAccessor" &&
      one(google_cloud_run_v2_service_iam_member.iap).role == "roles/run.invoker" &&
      contains(keys(google_project_service.this), "iap.googleapis.com")
    )
    error_message = "With IAP, viewers reach the page without signing in, or not at all."
  }
}

run "the_page_is_never_public" {
  command = plan

  variables {
    page = { viewers = ["allUsers"] }
  }

  expect_failures = [var.page]
}

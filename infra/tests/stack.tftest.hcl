# Checks the plan with a mocked provider: relations between resources that are not visible in the text of the files.

mock_provider "google" {
  mock_data "google_project" {
    defaults = { number = "123456789012" }
  }

  mock_resource "google_cloudfunctions2_function" {
    defaults = {
      service_config = { uri = "https://function.a.run.app", service = "function" }
    }
  }

  mock_resource "google_service_account" {
    defaults = {
      id     = "projects/demo-exports/serviceAccounts/account@demo-exports.iam.gserviceaccount.com"
      name   = "projects/demo-exports/serviceAccounts/account@demo-exports.iam.gserviceaccount.com"
      email  = "account@demo-exports.iam.gserviceaccount.com"
      member = "serviceAccount:account@demo-exports.iam.gserviceaccount.com"
    }
  }
}

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
    condition     = length(distinct(values(local.runs_as))) == 4
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

run "the_deployer_is_optional" {
  command = plan

  assert {
    condition     = length(google_service_account.deployer) == 0 && length(google_project_iam_member.deployer) == 0
    error_message = "The deployer's account exists although `deployer` is not set."
  }
}

run "the_trigger_runs_as_the_deployer" {
  command = apply

  variables {
    deployer = {
      state_bucket = "demo-exports-state"
      repository   = "projects/demo-exports/locations/us-central1/connections/c/repositories/r"
    }
  }

  assert {
    condition     = google_cloudbuild_trigger.deploy[0].service_account == google_service_account.deployer[0].id
    error_message = "Builds run as a different account."
  }
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

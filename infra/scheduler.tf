resource "google_cloud_scheduler_job" "poll" {
  project     = var.project_id
  region      = var.region
  name        = "video-export-poll"
  description = "Follows the exports; paused, nothing that waits is sent and no record moves"
  schedule    = "* * * * *"
  paused      = var.paused

  # Longer than the function may take, or Scheduler would count a long run as failed.
  attempt_deadline = "${local.functions.pollExports.timeout_seconds + 20}s"

  http_target {
    http_method = "POST"
    uri         = google_cloudfunctions2_function.this["pollExports"].service_config[0].uri

    oidc_token {
      service_account_email = google_service_account.invoker.email
      audience              = google_cloudfunctions2_function.this["pollExports"].service_config[0].uri
    }
  }

  # The next minute is the retry.
  retry_config {
    retry_count = 0
  }

  depends_on = [google_cloud_run_v2_service_iam_member.invoker]
}

# Published, not posted: a redelivered or repeated manifest of the same run changes nothing, so retries are safe.
resource "google_cloud_scheduler_job" "batch" {
  for_each    = var.schedules
  project     = var.project_id
  region      = var.region
  name        = "video-export-batch-${each.key}"
  description = "Runs the batch manifest ${each.value.manifest}"
  schedule    = each.value.cron
  time_zone   = each.value.time_zone
  paused      = var.paused || each.value.paused

  pubsub_target {
    topic_name = google_pubsub_topic.this["batches"].id
    data       = filebase64(each.value.manifest)
    attributes = { schedule = each.key }
  }

  retry_config {
    retry_count          = 5
    min_backoff_duration = "5s"
    max_backoff_duration = "300s"
  }

  lifecycle {
    # Cloud Scheduler's limit for a whole job is 1 MB; 10 kB are left for everything but the data.
    precondition {
      condition     = length(filebase64(each.value.manifest)) <= 1038576
      error_message = "The manifest of schedule ${each.key} is too large for Cloud Scheduler (1 MB in base64, so about 770 kB of JSON). Publish it to the batches topic instead."
    }
    precondition {
      condition     = can(jsondecode(file(each.value.manifest)))
      error_message = "The manifest of schedule ${each.key} is not JSON."
    }
  }
}

resource "google_cloud_scheduler_job" "poll" {
  project     = var.project_id
  region      = var.region
  name        = "video-export-poll"
  description = "Runs the poller. While paused, waiting jobs are not submitted and records are not updated"
  schedule    = "* * * * *"
  paused      = var.paused

  # Longer than the function's timeout. Otherwise, Cloud Scheduler would count a long run as failed.
  attempt_deadline = "${local.functions.pollExports.timeout_seconds + 20}s"

  http_target {
    http_method = "POST"
    uri         = google_cloudfunctions2_function.this["pollExports"].service_config[0].uri

    oidc_token {
      service_account_email = google_service_account.invoker.email
      audience              = google_cloudfunctions2_function.this["pollExports"].service_config[0].uri
    }
  }

  # The run of the next minute is the retry.
  retry_config {
    retry_count = 0
  }

  depends_on = [google_cloud_run_v2_service_iam_member.invoker]
}

# Retries are safe: a duplicate manifest of the same run changes nothing.
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
    # Cloud Scheduler limits the whole job to 1 MB. 10 kB are reserved for everything except the data.
    precondition {
      condition     = length(filebase64(each.value.manifest)) <= 1038576
      error_message = "The manifest of schedule ${each.key} is too large for Cloud Scheduler (1 MB in base64, which is about 770 kB of JSON). Publish it to the batches topic instead."
    }
    precondition {
      condition     = can(jsondecode(file(each.value.manifest)))
      error_message = "The manifest of schedule ${each.key} is not JSON."
    }
  }
}

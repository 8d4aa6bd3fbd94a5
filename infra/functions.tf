locals {
  # Everything that shared/config.ts reads, but for the three *_EMULATOR_HOST, which have no place in the cloud.
  environment = {
    GOOGLE_CLOUD_PROJECT   = var.project_id
    EARTHENGINE_PROJECT    = local.earth_engine_projects[0]
    EARTHENGINE_API_URL    = var.settings.earthengine_api_url
    FIRESTORE_DATABASE     = var.firestore.database
    ALLOWED_PROJECTS       = join(",", local.earth_engine_projects)
    ALLOWED_DESTINATIONS   = join(",", local.destinations)
    SUBMIT_LEASE_SECONDS   = tostring(var.settings.submit_lease_seconds)
    SUBMIT_TIMEOUT_SECONDS = tostring(var.settings.submit_timeout_seconds)
    RETRY_MIN_SECONDS      = tostring(var.settings.retry_min_seconds)
    RETRY_MAX_SECONDS      = tostring(var.settings.retry_max_seconds)
    STALLED_HOURS          = tostring(var.settings.stalled_hours)
    SUBMIT_DEADLINE_HOURS  = tostring(var.settings.submit_deadline_hours)
    POLL_MIN_SECONDS       = tostring(var.settings.poll_min_seconds)
    POLL_MAX_SECONDS       = tostring(var.settings.poll_max_seconds)
    POLL_BUDGET_SECONDS    = tostring(var.settings.poll_budget_seconds)
    MAX_ACTIVE_OPERATIONS  = tostring(var.settings.max_active_operations)
    RETENTION_DAYS         = tostring(var.settings.retention_days)
    JOBS_TOPIC             = var.topics.jobs
    BATCHES_TOPIC          = var.topics.batches
    CANCELLATIONS_TOPIC    = var.topics.cancellations
    EVENTS_TOPIC           = var.topics.events
    DEAD_LETTER_TOPIC      = var.topics.dead_letters
  }
  # For Node itself. Without `production` the framework answers with error messages and stacks; the compile cache is what
  # the bundle's gcp-build step left beside it.
  node_environment = {
    NODE_ENV                    = "production"
    NODE_COMPILE_CACHE          = "/workspace/.compile-cache"
    NODE_COMPILE_CACHE_PORTABLE = "1"
  }

  # Memory: a function holds 180 MB when it has handled a message, and Node's heap ends 64 MB below the limit. A message
  # may be 10 MB, which is 60 MB as text, as objects and as the bytes to send: concurrency is what fits of those.
  # Above a concurrency of 1 Cloud Run wants a whole CPU.
  functions = {
    # Most of a delivery is waiting for Earth Engine, about a second, so 8 at once cost one CPU little. 10 × 8 in flight
    # stay below Earth Engine's 100 requests per second and project. The time: what a claim may take, since a sender
    # whose lease is over must not send any more.
    submitExport = {
      description = "Turns a job message into one Earth Engine export"
      memory      = "1Gi", cpu = "1", concurrency = 8
      max         = 10, timeout_seconds = ceil(var.settings.submit_lease_seconds)
    }
    # One run at a time is all that Scheduler needs: a run that finds more work goes on by itself until its budget is used.
    # The minute on top is for what is under way when the budget ends.
    pollExports = {
      description = "Follows every export to its end and feeds Earth Engine's queue"
      memory      = "1Gi", cpu = "1", concurrency = 1
      max         = 1, timeout_seconds = ceil(var.settings.poll_budget_seconds) + 60
    }
    # A batch is expanded by one delivery in bounded memory; it resumes where it stopped when the time is over.
    expandBatch = {
      description = "Publishes a batch manifest's jobs"
      memory      = "1Gi", cpu = "1", concurrency = 1
      max         = 3, timeout_seconds = 540
    }
    # A message may cancel a batch of thousands.
    cancelExports = {
      description = "Cancels jobs and batches"
      memory      = "512Mi", cpu = "1", concurrency = 4
      max         = 3, timeout_seconds = 540
    }
    recordDeadLetter = {
      description = "Writes down what became of a message that no function could handle"
      memory      = "512Mi", cpu = "1", concurrency = 4
      max         = 3, timeout_seconds = 60
    }
  }
}

resource "google_cloudfunctions2_function" "this" {
  for_each    = local.functions
  project     = var.project_id
  location    = var.region
  name        = "video-export-${lower(replace(each.key, "/([A-Z])/", "-$1"))}"
  description = each.value.description
  labels      = var.labels

  build_config {
    runtime         = "nodejs24"
    entry_point     = each.key
    service_account = google_service_account.builder.id

    source {
      storage_source {
        bucket = google_storage_bucket.source.name
        object = google_storage_bucket_object.source[each.key].name
      }
    }

    # Security patches of the runtime come without a deployment.
    automatic_update_policy {}
  }

  service_config {
    all_traffic_on_latest_revision   = true
    available_cpu                    = each.value.cpu
    available_memory                 = each.value.memory
    environment_variables            = merge(local.environment, local.node_environment)
    max_instance_count               = coalesce(try(var.instances[each.key].max, null), each.value.max)
    max_instance_request_concurrency = each.value.concurrency
    min_instance_count               = coalesce(try(var.instances[each.key].min, null), 0)
    service_account_email            = google_service_account.function[local.runs_as[each.key]].email
    timeout_seconds                  = each.value.timeout_seconds

    # Pub/Sub and Cloud Scheduler of this project count as internal at the run.app address. A token of the invoker is
    # wanted besides.
    ingress_settings = "ALLOW_INTERNAL_ONLY"
  }

  lifecycle {
    precondition {
      condition     = length(local.destinations) > 0
      error_message = "Nothing could be written anywhere: give export_buckets or allowed_destinations."
    }
  }

  depends_on = [
    google_project_iam_member.builder,
    google_project_iam_member.builder_source,
    # A function that starts before it may read would fail its first messages.
    google_firestore_database.this,
    google_project_iam_member.records,
  ]
}

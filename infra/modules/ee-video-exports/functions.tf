locals {
  # Every setting that shared/config.ts reads, except the four *_EMULATOR_HOST settings, which are for local stacks only.
  environment = {
    GOOGLE_CLOUD_PROJECT            = var.project_id
    EARTHENGINE_PROJECT             = local.earth_engine_projects[0]
    EARTHENGINE_API_URL             = var.settings.earthengine_api_url
    FIRESTORE_DATABASE              = var.firestore.database
    ALLOWED_PROJECTS                = join(",", local.earth_engine_projects)
    ALLOWED_DESTINATIONS            = join(",", local.destinations)
    SUBMIT_LEASE_SECONDS            = tostring(var.settings.submit_lease_seconds)
    SUBMIT_TIMEOUT_SECONDS          = tostring(var.settings.submit_timeout_seconds)
    RETRY_MIN_SECONDS               = tostring(var.settings.retry_min_seconds)
    RETRY_MAX_SECONDS               = tostring(var.settings.retry_max_seconds)
    STALLED_HOURS                   = tostring(var.settings.stalled_hours)
    SUBMIT_DEADLINE_HOURS           = tostring(var.settings.submit_deadline_hours)
    VIDEO_CHECK                     = var.settings.video_check
    POLL_MIN_SECONDS                = tostring(var.settings.poll_min_seconds)
    POLL_MAX_SECONDS                = tostring(var.settings.poll_max_seconds)
    POLL_BUDGET_SECONDS             = tostring(var.settings.poll_budget_seconds)
    EARTHENGINE_REQUESTS_PER_SECOND = tostring(var.settings.earthengine_requests_per_second)
    MAX_ACTIVE_OPERATIONS           = tostring(var.settings.max_active_operations)
    VERIFY_DELIVERY                 = var.settings.verify_delivery
    DELIVERY_WAIT_SECONDS           = tostring(var.settings.delivery_wait_seconds)
    RETENTION_DAYS                  = tostring(var.settings.retention_days)
    JOBS_TOPIC                      = var.topics.jobs
    BATCHES_TOPIC                   = var.topics.batches
    CANCELLATIONS_TOPIC             = var.topics.cancellations
    EVENTS_TOPIC                    = var.topics.events
    POLLS_TOPIC                     = var.topics.polls
    DEAD_LETTER_TOPIC               = var.topics.dead_letters
  }
  # Settings of Node itself. Without `production`, the framework's responses contain error messages and stack traces. The
  # bundle's gcp-build step fills the compile cache by handling a first request (infra/cold-start/).
  node_environment = {
    # Off, or the framework rewrites each line of the service's structured log. Cloud Functions sets it if nothing else does.
    LOG_EXECUTION_ID            = "false"
    NODE_ENV                    = "production"
    NODE_COMPILE_CACHE          = "/workspace/.compile-cache"
    NODE_COMPILE_CACHE_PORTABLE = "1"
  }

  # Memory: `npm run bench -- memory` measures each function with as many messages of 10 MB as its concurrency allows, and fails
  # above 80 % of the limit. Cloud Run requires a whole CPU for a concurrency above 1.
  functions = {
    # A delivery mostly waits for Earth Engine, for about a second, so one CPU can handle 8 at a time. 10 × 8 deliveries stay
    # below Earth Engine's 100 requests per second and project. The timeout is the lease of a claim, because a sender must
    # not send after its lease has ended.
    submitExport = {
      description = "Submits one Earth Engine export for each job message"
      memory      = "1Gi", cpu = "1", concurrency = 8
      max         = 10, timeout_seconds = ceil(var.settings.submit_lease_seconds)
    }
    # One run works on up to eight projects. With more of them, each has messages of its own: then one instance sweeps a
    # thousand of them within a minute, since a sweep mostly waits for a list. The extra minute is for calls that are in
    # progress when the budget is used up.
    pollExports = {
      description = "Tracks every export until it ends, and submits waiting jobs"
      memory      = "1Gi", cpu = "1", concurrency = 16
      max         = 20, timeout_seconds = ceil(var.settings.poll_budget_seconds) + 60
    }
    # One delivery expands one batch, in bounded memory. After a timeout, the next delivery resumes where it stopped.
    expandBatch = {
      description = "Publishes the jobs of a batch manifest"
      memory      = "1Gi", cpu = "1", concurrency = 1
      max         = 3, timeout_seconds = 540
    }
    # One message can cancel a batch of thousands of jobs.
    cancelExports = {
      description = "Cancels jobs and batches"
      memory      = "512Mi", cpu = "1", concurrency = 4
      max         = 3, timeout_seconds = 540
    }
    recordDeadLetter = {
      description = "Records each message that no function could handle"
      memory      = "1Gi", cpu = "1", concurrency = 4
      max         = 3, timeout_seconds = 60
    }
    # Each open page holds one request, its stream of changes, which ends and reconnects before the timeout. Instances don't share
    # their Firestore listeners, so fewer instances cost fewer reads.
    showExports = {
      description = "Shows exports to people"
      memory      = "512Mi", cpu = "1", concurrency = 200
      max         = 2, timeout_seconds = 3600
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
  # The repository has the same key.
  kms_key_name = var.kms_key_name

  build_config {
    runtime           = "nodejs24"
    entry_point       = each.key
    service_account   = google_service_account.builder.id
    docker_repository = google_artifact_registry_repository.this.id

    source {
      storage_source {
        bucket = google_storage_bucket.source.name
        object = google_storage_bucket_object.source[each.key].name
      }
    }

    # Google installs security patches of the runtime without a deployment.
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
    vpc_connector                    = try(var.vpc.connector, null)
    vpc_connector_egress_settings    = try(var.vpc.egress, null)

    # Requests from Pub/Sub and Cloud Scheduler of this project to the run.app address count as internal. They also need a
    # token of the invoker. People look at the page from outside, with a token of their own.
    ingress_settings = each.key == "showExports" ? "ALLOW_ALL" : "ALLOW_INTERNAL_ONLY"
  }

  lifecycle {
    precondition {
      condition     = length(local.destinations) > 0
      error_message = "Jobs could not write to any destination. Set export_buckets or allowed_destinations."
    }
  }

  depends_on = [
    time_sleep.build_grants,
    time_sleep.encryption,
    # Without its grants, a function would fail its first messages.
    google_firestore_database.this,
    google_project_iam_member.page_records,
    google_project_iam_member.records,
  ]
}

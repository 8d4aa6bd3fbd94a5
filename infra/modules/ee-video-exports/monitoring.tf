# The metrics come from the service's log lines, whose `event` names are stable. So short-lived functions need no metrics
# exporter.

locals {
  _service_logs = join(" AND ", [
    "resource.type=\"cloud_run_revision\"",
    "resource.labels.location=\"${var.region}\"",
    "resource.labels.service_name=~\"^video-export-\"",
  ])

  # Counters: the number of log lines that match a filter, by these fields. With more than eight projects, each has runs of its own,
  # which log poll.project.
  counters = {
    polls            = { event = "poll.finished", labels = [] }
    failing_polls    = { event = "poll.finished", also = "poll.project", labels = [], where = "jsonPayload.failed>0" }
    rejections       = { event = "message.rejected", labels = ["reason"] }
    transitions      = { event = "record.transition", labels = ["state"] }
    stalled          = { event = "record.stalled", labels = [] }
    extra_operations = { event = "record.extra_operation", labels = [] }
    deliveries       = { event = "delivery.changed", labels = ["delivery"] }
    pending_events   = { event = "event.pending", labels = [] }
    thresholds       = { event = "budget.threshold", labels = ["action"] }
    failed_budgets   = { event = "budget.failed", labels = [] }
    idle_budgets     = { event = "budget.not_enforced", labels = [] }
    quota_used_up    = { event = "gate.closed", labels = ["project"], where = "jsonPayload.reason=\"QUOTA\"" }
    restricted       = { event = "project.parallelism", labels = ["project"], where = "jsonPayload.restricted=true" }
  }
  # Gauges: a number in the log line of each run. They are distributions, so an alert must not compare them with 0: the bucket that 0
  # belongs to has no lower bound, and its percentiles are not 0.
  gauges = {
    oldest_waiting_seconds = { event = "poll.finished", field = "oldestWaitingSeconds", unit = "s" }
    waiting                = { event = "poll.finished", field = "waiting", unit = "1" }
    changed                = { event = "poll.finished", also = "poll.project", field = "changed", unit = "1" }
  }
  _events = {
    for name, metric in merge(local.counters, local.gauges) :
    name => join(" OR ", [for event in compact([metric.event, try(metric.also, "")]) : "\"${event}\""])
  }
  _push_names = join("|", [for push in google_pubsub_subscription.push : push.name])
  _metric     = "logging.googleapis.com/user/video-exports"
  _ours       = "resource.type=\"cloud_run_revision\" AND metric.type=\"${local._metric}"
  _scheduler  = "resource.type=\"cloud_scheduler_job\" AND metric.type=\"${local._metric}/scheduler_failures\""
  _pushes     = "resource.type=\"pubsub_subscription\" AND resource.labels.subscription_id=monitoring.regex.full_match(\"${local._push_names}\")"

  channels = concat(
    [for channel in google_monitoring_notification_channel.email : channel.id],
    sort(tolist(var.alerts.channels)),
  )

  # The name of each alert is a heading in OPERATIONS.md. It fires if one of its conditions holds.
  alerts = {
    dead_letters = {
      name     = "Dead letters"
      severity = "ERROR"
      summary  = "Pub/Sub gave up on messages after their last delivery attempt. They are kept in ${google_pubsub_subscription.dead_letters.name}."
      conditions = [{
        # Only messages that Pub/Sub gave up on. Messages that the service rejected are kept there too, and have their own alert.
        filter  = "${local._pushes} AND metric.type=\"pubsub.googleapis.com/subscription/dead_letter_message_count\""
        aligner = "ALIGN_DELTA", period = 300, above = 0, for = 0
      }]
    }
    push_backlog = {
      name     = "Messages not acknowledged"
      severity = "ERROR"
      summary  = "A function has not acknowledged its oldest message for ${var.alerts.push_backlog_minutes} minutes."
      enabled  = !var.hold_messages
      conditions = [{
        filter  = "${local._pushes} AND metric.type=\"pubsub.googleapis.com/subscription/oldest_unacked_message_age\""
        aligner = "ALIGN_MAX", period = 300, above = var.alerts.push_backlog_minutes * 60, for = 300
      }]
    }
    oldest_waiting = {
      name     = "Oldest waiting job"
      severity = "WARNING"
      summary  = "A job has been waiting for Earth Engine for more than ${var.alerts.oldest_waiting_hours} hours."
      conditions = [{
        filter  = "${local._ours}/oldest_waiting_seconds\""
        aligner = "ALIGN_PERCENTILE_99", period = 600, above = var.alerts.oldest_waiting_hours * 3600, for = 0
      }]
    }
    failed_jobs = {
      name     = "Failed jobs"
      severity = "WARNING"
      summary  = "More than ${var.alerts.failed_per_hour} jobs failed, were rejected, or were lost within an hour."
      conditions = [{
        filter  = "${local._ours}/transitions\" AND metric.labels.state=monitoring.regex.full_match(\"FAILED|REJECTED|LOST\")"
        aligner = "ALIGN_DELTA", period = 3600, above = var.alerts.failed_per_hour, for = 0
      }]
    }
    rejections = {
      name     = "Rejected messages"
      severity = "WARNING"
      summary  = "The service rejected more than ${var.alerts.rejected_per_hour} messages within an hour."
      conditions = [{
        filter  = "${local._ours}/rejections\""
        aligner = "ALIGN_DELTA", period = 3600, above = var.alerts.rejected_per_hour, for = 0
      }]
    }
    schedules = {
      name     = "Schedule failed"
      severity = "ERROR"
      summary  = "Cloud Scheduler could not publish a batch, or the service rejected a manifest."
      conditions = [
        {
          filter  = "${local._scheduler} AND resource.labels.job_id=monitoring.regex.full_match(\"video-export-batch-.*\")"
          aligner = "ALIGN_DELTA", period = 3600, above = 0, for = 0
        },
        {
          filter  = "${local._ours}/rejections\" AND metric.labels.reason=\"INVALID_MANIFEST\""
          aligner = "ALIGN_DELTA", period = 3600, above = 0, for = 0
        },
      ]
    }
    restricted = {
      name     = "Earth Engine restriction"
      severity = "WARNING"
      summary  = "A project has used up its quota: Earth Engine restricts its parallelism, or accepts no exports until the quota resets."
      conditions = [
        {
          filter  = "${local._ours}/restricted\""
          aligner = "ALIGN_DELTA", period = 3600, above = 0, for = 0
        },
        {
          filter  = "${local._ours}/quota_used_up\""
          aligner = "ALIGN_DELTA", period = 3600, above = 0, for = 0
        },
      ]
    }
    budget_thresholds = {
      name     = "Budget threshold"
      severity = "WARNING"
      summary  = "A budget has reached one of its thresholds. Depending on its action, jobs wait or are canceled."
      conditions = [{
        filter  = "${local._ours}/thresholds\""
        aligner = "ALIGN_DELTA", period = 3600, above = 0, for = 0
      }]
    }
    failed_budgets = {
      name     = "Budgets not enforced"
      severity = "ERROR"
      summary  = "For half an hour, the service has not been able to read a budget, to sum what was spent, or to act on it. Unless a budget is strict, its jobs start."
      # Several attempts, because the next poll retries a single failure within a minute.
      conditions = [
        {
          filter  = "${local._ours}/failed_budgets\""
          aligner = "ALIGN_DELTA", period = 1800, above = 5, for = 0
        },
        {
          filter  = "${local._ours}/idle_budgets\""
          aligner = "ALIGN_DELTA", period = 1800, above = 5, for = 0
        },
      ]
    }
    stalled = {
      name     = "Stalled operations"
      severity = "WARNING"
      summary  = "An operation has made no progress for ${var.settings.stalled_hours} hours."
      conditions = [{
        filter  = "${local._ours}/stalled\""
        aligner = "ALIGN_DELTA", period = 3600, above = 0, for = 0
      }]
    }
    extra_operations = {
      name     = "Extra operation"
      severity = "ERROR"
      summary  = "Earth Engine has a second operation for one job."
      conditions = [{
        filter  = "${local._ours}/extra_operations\""
        aligner = "ALIGN_DELTA", period = 3600, above = 0, for = 0
      }]
    }
    missing_videos = {
      name     = "Missing videos"
      severity = "ERROR"
      summary  = "Jobs succeeded, and their videos are not in Cloud Storage ${var.settings.delivery_wait_seconds} seconds later."
      conditions = [{
        filter  = "${local._ours}/deliveries\" AND metric.labels.delivery=\"MISSING\""
        aligner = "ALIGN_DELTA", period = 3600, above = 0, for = 0
      }]
    }
    suspect_videos = {
      name     = "Suspect videos"
      severity = "WARNING"
      summary  = "Videos are empty, cut short, or not what was requested."
      conditions = [{
        filter  = "${local._ours}/deliveries\" AND metric.labels.delivery=\"SUSPECT\""
        aligner = "ALIGN_DELTA", period = 3600, above = 0, for = 0
      }]
    }
    pending_events = {
      name     = "Pending events"
      severity = "WARNING"
      summary  = "The service has not been able to publish events for half an hour. The records are correct, but subscribers do not receive the events."
      conditions = [{
        # Several attempts, because a single failure is retried within a minute.
        filter  = "${local._ours}/pending_events\""
        aligner = "ALIGN_DELTA", period = 1800, above = 5, for = 0
      }]
    }
    failed_records = {
      name     = "Deferred records"
      severity = "WARNING"
      summary  = "The poller has failed on some records in more than ten runs within an hour."
      conditions = [{
        filter  = "${local._ours}/failing_polls\""
        aligner = "ALIGN_DELTA", period = 3600, above = 10, for = 0
      }]
    }
  }
}

resource "google_logging_metric" "counter" {
  for_each    = local.counters
  project     = var.project_id
  name        = "video-exports/${each.key}"
  description = "Number of ${each.value.event} log lines."
  filter = join(" AND ", compact([
    local._service_logs,
    "jsonPayload.event=(${local._events[each.key]})",
    try(each.value.where, ""),
  ]))
  label_extractors = {
    for label in each.value.labels : label => "EXTRACT(jsonPayload.${label})"
  }

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    unit        = "1"

    dynamic "labels" {
      for_each = each.value.labels
      content {
        key        = labels.value
        value_type = "STRING"
      }
    }
  }

  depends_on = [time_sleep.apis]
}

# Cloud Scheduler's own log. It has entries even if the poller has never run.
resource "google_logging_metric" "scheduler_failures" {
  project     = var.project_id
  name        = "video-exports/scheduler_failures"
  description = "Number of failed attempts of Cloud Scheduler."
  filter = join(" AND ", [
    "resource.type=\"cloud_scheduler_job\"",
    "resource.labels.location=\"${var.region}\"",
    "resource.labels.job_id=~\"^video-export-\"",
    "severity>=ERROR",
  ])

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    unit        = "1"
  }

  depends_on = [time_sleep.apis]
}

resource "google_logging_metric" "gauge" {
  for_each        = local.gauges
  project         = var.project_id
  name            = "video-exports/${each.key}"
  description     = "${each.value.field} of each ${each.value.event} log line."
  filter          = "${local._service_logs} AND jsonPayload.event=(${local._events[each.key]})"
  value_extractor = "EXTRACT(jsonPayload.${each.value.field})"

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "DISTRIBUTION"
    unit        = each.value.unit
  }

  # From 1 second to about 11 days, in steps of 15%, which is precise enough for a threshold in hours.
  bucket_options {
    exponential_buckets {
      num_finite_buckets = 100
      growth_factor      = 1.15
      scale              = 1
    }
  }

  depends_on = [time_sleep.apis]
}

resource "google_monitoring_notification_channel" "email" {
  for_each     = var.alerts.emails
  project      = var.project_id
  display_name = each.value
  type         = "email"
  labels       = { email_address = each.value }
  depends_on   = [time_sleep.apis]
}

resource "google_monitoring_alert_policy" "threshold" {
  for_each              = local.alerts
  project               = var.project_id
  display_name          = "Video exports: ${each.value.name}"
  combiner              = "OR"
  severity              = each.value.severity
  user_labels           = var.labels
  enabled               = try(each.value.enabled, true)
  notification_channels = local.channels

  dynamic "conditions" {
    for_each = each.value.conditions
    iterator = condition
    content {
      display_name = each.value.name

      condition_threshold {
        filter          = condition.value.filter
        comparison      = "COMPARISON_GT"
        threshold_value = condition.value.above
        duration        = "${condition.value.for}s"

        aggregations {
          alignment_period     = "${condition.value.period}s"
          per_series_aligner   = condition.value.aligner
          cross_series_reducer = condition.value.aligner == "ALIGN_DELTA" ? "REDUCE_SUM" : "REDUCE_MAX"
        }
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "${each.value.summary} What to do: infra/OPERATIONS.md, \"${each.value.name}\"."

    dynamic "links" {
      for_each = var.alerts.runbook_url[*]
      content {
        display_name = "Runbook: ${each.value.name}"
        url          = "${links.value}#${lower(replace(each.value.name, " ", "-"))}"
      }
    }
  }

  alert_strategy {
    auto_close = "${var.alerts.auto_close_after_minutes * 60}s"

    notification_channel_strategy {
      notification_channel_names = local.channels
      renotify_interval          = "${var.alerts.renotify_interval_hours * 3600}s"
    }
  }

  # A policy can be created only for a metric that is available.
  depends_on = [time_sleep.metrics]
}

# The absence of a metric is noticed only after its first data point, and again only after the first one since the policy was changed.
# So the second condition detects a poller that has never run: Cloud Scheduler's own log reports the failed attempts.
resource "google_monitoring_alert_policy" "poll_silent" {
  project               = var.project_id
  display_name          = "Video exports: Poller not running"
  combiner              = "OR"
  severity              = "CRITICAL"
  user_labels           = var.labels
  enabled               = !var.paused
  notification_channels = local.channels

  conditions {
    display_name = "No run has finished"

    condition_absent {
      filter   = "${local._ours}/polls\""
      duration = "${var.alerts.poll_silent_minutes * 60}s"

      aggregations {
        alignment_period     = "60s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  conditions {
    display_name = "Cloud Scheduler's attempts fail"

    condition_threshold {
      filter          = "${local._scheduler} AND resource.labels.job_id=\"${google_cloud_scheduler_job.poll.name}\""
      comparison      = "COMPARISON_GT"
      threshold_value = 3
      duration        = "0s"

      aggregations {
        alignment_period     = "${var.alerts.poll_silent_minutes * 60}s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "pollExports has not finished a run for ${var.alerts.poll_silent_minutes} minutes: records are not updated, and waiting jobs are not submitted. What to do: infra/OPERATIONS.md, \"Poller not running\"."

    dynamic "links" {
      for_each = var.alerts.runbook_url[*]
      content {
        display_name = "Runbook: Poller not running"
        url          = "${links.value}#poller-not-running"
      }
    }
  }

  alert_strategy {
    auto_close = "${var.alerts.auto_close_after_minutes * 60}s"

    notification_channel_strategy {
      notification_channel_names = local.channels
      renotify_interval          = "${var.alerts.renotify_interval_hours * 3600}s"
    }
  }

  depends_on = [time_sleep.metrics]
}

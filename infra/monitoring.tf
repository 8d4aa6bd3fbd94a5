# The metrics come from the service's log lines, whose `event` names are stable. So short-lived functions need no metrics
# exporter.

locals {
  _service_logs = join(" AND ", [
    "resource.type=\"cloud_run_revision\"",
    "resource.labels.location=\"${var.region}\"",
    "resource.labels.service_name=~\"^video-export-\"",
  ])

  # Counters: the number of log lines with this event, by these fields.
  counters = {
    polls            = { event = "poll.finished", labels = [] }
    rejections       = { event = "message.rejected", labels = ["reason"] }
    transitions      = { event = "record.transition", labels = ["state"] }
    stalled          = { event = "record.stalled", labels = [] }
    extra_operations = { event = "record.extra_operation", labels = [] }
  }
  # Gauges: a number in the log line of each run.
  gauges = {
    oldest_waiting_seconds = { event = "poll.finished", field = "oldestWaitingSeconds", unit = "s" }
    waiting                = { event = "poll.finished", field = "waiting", unit = "1" }
    changed                = { event = "poll.finished", field = "changed", unit = "1" }
    failed                 = { event = "poll.finished", field = "failed", unit = "1" }
  }
  _push_names = join("|", [for push in google_pubsub_subscription.push : push.name])
  _metric     = "logging.googleapis.com/user/video-exports"

  # The name of each alert is a heading in OPERATIONS.md.
  alerts = {
    dead_letters = {
      name     = "Dead letters"
      severity = "ERROR"
      summary  = "Pub/Sub gave up on messages after their last delivery attempt. They are kept in ${google_pubsub_subscription.dead_letters.name}."
      # Only messages that Pub/Sub gave up on. Messages that the service rejected are kept there too, and have their own alert.
      filter = join(" AND ", [
        "resource.type=\"pubsub_subscription\"",
        "resource.labels.subscription_id=monitoring.regex.full_match(\"${local._push_names}\")",
        "metric.type=\"pubsub.googleapis.com/subscription/dead_letter_message_count\"",
      ])
      aligner = "ALIGN_DELTA", period = 300, above = 0, for = 0
    }
    push_backlog = {
      name     = "Messages not acknowledged"
      severity = "ERROR"
      summary  = "A function has not acknowledged its oldest message for ${var.alerts.push_backlog_minutes} minutes."
      filter = join(" AND ", [
        "resource.type=\"pubsub_subscription\"",
        "resource.labels.subscription_id=monitoring.regex.full_match(\"${local._push_names}\")",
        "metric.type=\"pubsub.googleapis.com/subscription/oldest_unacked_message_age\"",
      ])
      aligner = "ALIGN_MAX", period = 300, above = var.alerts.push_backlog_minutes * 60, for = 300
    }
    oldest_waiting = {
      name     = "Oldest waiting job"
      severity = "WARNING"
      summary  = "A job has been waiting for Earth Engine for more than ${var.alerts.oldest_waiting_hours} hours."
      filter   = "resource.type=\"cloud_run_revision\" AND metric.type=\"${local._metric}/oldest_waiting_seconds\""
      aligner  = "ALIGN_PERCENTILE_99", period = 600, above = var.alerts.oldest_waiting_hours * 3600, for = 0
    }
    rejections = {
      name     = "Rejected messages"
      severity = "WARNING"
      summary  = "The service rejected more than ${var.alerts.rejected_per_hour} messages within an hour."
      filter   = "resource.type=\"cloud_run_revision\" AND metric.type=\"${local._metric}/rejections\""
      aligner  = "ALIGN_DELTA", period = 3600, above = var.alerts.rejected_per_hour, for = 0
    }
    stalled = {
      name     = "Stalled operations"
      severity = "WARNING"
      summary  = "An operation has made no progress for ${var.settings.stalled_hours} hours."
      filter   = "resource.type=\"cloud_run_revision\" AND metric.type=\"${local._metric}/stalled\""
      aligner  = "ALIGN_DELTA", period = 3600, above = 0, for = 0
    }
    extra_operations = {
      name     = "Extra operation"
      severity = "ERROR"
      summary  = "Earth Engine has a second operation for one job."
      filter   = "resource.type=\"cloud_run_revision\" AND metric.type=\"${local._metric}/extra_operations\""
      aligner  = "ALIGN_DELTA", period = 3600, above = 0, for = 0
    }
    failed_records = {
      name     = "Deferred records"
      severity = "WARNING"
      summary  = "The poller has been failing on some records for an hour."
      filter   = "resource.type=\"cloud_run_revision\" AND metric.type=\"${local._metric}/failed\""
      aligner  = "ALIGN_PERCENTILE_50", period = 1800, above = 0, for = 3600
    }
  }
}

resource "google_logging_metric" "counter" {
  for_each    = local.counters
  project     = var.project_id
  name        = "video-exports/${each.key}"
  description = "Number of ${each.value.event} log lines."
  filter      = "${local._service_logs} AND jsonPayload.event=\"${each.value.event}\""
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

  depends_on = [google_project_service.this]
}

resource "google_logging_metric" "gauge" {
  for_each        = local.gauges
  project         = var.project_id
  name            = "video-exports/${each.key}"
  description     = "${each.value.field} of each ${each.value.event} log line."
  filter          = "${local._service_logs} AND jsonPayload.event=\"${each.value.event}\""
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

  depends_on = [google_project_service.this]
}

resource "google_monitoring_notification_channel" "email" {
  for_each     = var.alerts.emails
  project      = var.project_id
  display_name = each.value
  type         = "email"
  labels       = { email_address = each.value }
  depends_on   = [google_project_service.this]
}

resource "google_monitoring_alert_policy" "threshold" {
  for_each              = local.alerts
  project               = var.project_id
  display_name          = "Video exports: ${each.value.name}"
  combiner              = "OR"
  severity              = each.value.severity
  user_labels           = var.labels
  notification_channels = [for channel in google_monitoring_notification_channel.email : channel.id]

  conditions {
    display_name = each.value.name

    condition_threshold {
      filter          = each.value.filter
      comparison      = "COMPARISON_GT"
      threshold_value = each.value.above
      duration        = "${each.value.for}s"

      aggregations {
        alignment_period     = "${each.value.period}s"
        per_series_aligner   = each.value.aligner
        cross_series_reducer = each.value.aligner == "ALIGN_DELTA" ? "REDUCE_SUM" : "REDUCE_MAX"
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "${each.value.summary} What to do: infra/OPERATIONS.md, \"${each.value.name}\"."
  }

  alert_strategy {
    auto_close = "${var.alerts.auto_close_after_minutes * 60}s"

    notification_channel_strategy {
      notification_channel_names = [for channel in google_monitoring_notification_channel.email : channel.id]
      renotify_interval          = "${var.alerts.renotify_interval_hours * 3600}s"
    }
  }

  # A policy can be created only for a metric that exists.
  depends_on = [google_logging_metric.counter, google_logging_metric.gauge]
}

# A metric without data exceeds no threshold, so this alert needs a different kind of condition.
resource "google_monitoring_alert_policy" "poll_silent" {
  project               = var.project_id
  display_name          = "Video exports: Poller not running"
  combiner              = "OR"
  severity              = "CRITICAL"
  user_labels           = var.labels
  enabled               = !var.paused
  notification_channels = [for channel in google_monitoring_notification_channel.email : channel.id]

  conditions {
    display_name = "Poller not running"

    condition_absent {
      filter   = "resource.type=\"cloud_run_revision\" AND metric.type=\"${local._metric}/polls\""
      duration = "${var.alerts.poll_silent_minutes * 60}s"

      aggregations {
        alignment_period     = "60s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "pollExports has not finished a run for ${var.alerts.poll_silent_minutes} minutes: records are not updated, and waiting jobs are not submitted. What to do: infra/OPERATIONS.md, \"Poller not running\"."
  }

  alert_strategy {
    auto_close = "${var.alerts.auto_close_after_minutes * 60}s"
  }

  depends_on = [google_logging_metric.counter]
}

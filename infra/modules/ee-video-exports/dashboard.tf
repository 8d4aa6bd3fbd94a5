locals {
  # For each chart: the title, the series, and how they are aggregated.
  charts = [
    {
      title   = "Records by new state"
      filter  = "${local._ours}/transitions\""
      aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = ["metric.label.state"]
    },
    {
      title   = "Jobs waiting"
      filter  = "${local._ours}/waiting\""
      aligner = "ALIGN_PERCENTILE_99", reducer = "REDUCE_MAX", by = []
    },
    {
      title   = "Oldest waiting job (seconds)"
      filter  = "${local._ours}/oldest_waiting_seconds\""
      aligner = "ALIGN_PERCENTILE_99", reducer = "REDUCE_MAX", by = []
    },
    {
      title   = "Records changed per run"
      filter  = "${local._ours}/changed\""
      aligner = "ALIGN_PERCENTILE_99", reducer = "REDUCE_MAX", by = []
    },
    {
      title   = "Rejected messages by reason"
      filter  = "${local._ours}/rejections\""
      aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = ["metric.label.reason"]
    },
    {
      title   = "Messages not acknowledged yet"
      filter  = "resource.type=\"pubsub_subscription\" AND resource.labels.subscription_id=monitoring.regex.full_match(\"video-export-.*\") AND metric.type=\"pubsub.googleapis.com/subscription/num_undelivered_messages\""
      aligner = "ALIGN_MAX", reducer = "REDUCE_MAX", by = ["resource.label.subscription_id"]
    },
    {
      title   = "Requests by function and status"
      filter  = "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=monitoring.regex.full_match(\"video-export-.*\") AND metric.type=\"run.googleapis.com/request_count\""
      aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = ["resource.label.service_name", "metric.label.response_code_class"]
    },
    {
      title   = "Request latency, 99th percentile (ms)"
      filter  = "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=monitoring.regex.full_match(\"video-export-.*\") AND metric.type=\"run.googleapis.com/request_latencies\""
      aligner = "ALIGN_PERCENTILE_99", reducer = "REDUCE_MAX", by = ["resource.label.service_name"]
    },
  ]
}

resource "google_monitoring_dashboard" "this" {
  project = var.project_id
  dashboard_json = jsonencode({
    displayName = "Earth Engine video exports"
    mosaicLayout = {
      columns = 48
      tiles = [
        # Cloud Monitoring drops zeros and empty lists. If they were here, every plan would show a change.
        for i, chart in local.charts : merge(
          { for key, value in { xPos = (i % 2) * 24, yPos = floor(i / 2) * 12 } : key => value if value != 0 },
          {
            width  = 24
            height = 12
            widget = {
              title = chart.title
              xyChart = {
                dataSets = [{
                  plotType = "LINE"
                  timeSeriesQuery = {
                    timeSeriesFilter = {
                      filter = chart.filter
                      aggregation = merge(
                        {
                          alignmentPeriod    = "300s"
                          perSeriesAligner   = chart.aligner
                          crossSeriesReducer = chart.reducer
                        },
                        { for key, value in { groupByFields = chart.by } : key => value if length(value) > 0 },
                      )
                    }
                  }
                }]
              }
            }
          },
        )
      ]
    }
  })
  depends_on = [time_sleep.apis]
}

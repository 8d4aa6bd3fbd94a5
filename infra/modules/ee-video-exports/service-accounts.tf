# Each function has its own account, except the two that call video:export. Earth Engine deduplicates requests by calling account,
# so submitExport and pollExports must use the same account. Otherwise, a job could be rendered twice.

locals {
  service_accounts = {
    sender           = "Submits and tracks exports: submitExport and pollExports"
    expandBatch      = "Expands batch manifests: expandBatch"
    cancelExports    = "Cancels exports: cancelExports"
    recordDeadLetter = "Records dead letters: recordDeadLetter"
    showExports      = "Shows exports, and may only read: showExports"
  }
  # The account that each function runs as.
  runs_as = {
    submitExport     = "sender"
    pollExports      = "sender"
    expandBatch      = "expandBatch"
    cancelExports    = "cancelExports"
    recordDeadLetter = "recordDeadLetter"
    showExports      = "showExports"
  }
}

resource "google_service_account" "function" {
  for_each = local.service_accounts
  project  = var.project_id
  account_id = join("-", [
    "video-export",
    lower(replace(each.key, "/([A-Z])/", "-$1"))
  ])
  display_name = each.value
  depends_on   = [time_sleep.apis]
}

# Can only call the functions. Pub/Sub and Cloud Scheduler use its tokens.
resource "google_service_account" "invoker" {
  project      = var.project_id
  account_id   = "video-export-invoker"
  display_name = "Calls the video export functions"
  depends_on   = [time_sleep.apis]
}

# Builds images from the uploaded source. The default account is an editor in old projects and has no roles in new ones.
resource "google_service_account" "builder" {
  project      = var.project_id
  account_id   = "video-export-builder"
  display_name = "Builds the video export functions"
  depends_on   = [time_sleep.apis]
}

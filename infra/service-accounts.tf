# One account per function, but for the two that call video:export: Earth Engine deduplicates requests per calling account,
# so a job that submitExport sent and pollExports sends again must come from the same one, or it could be rendered twice.

locals {
  service_accounts = {
    sender           = "Submits and follows exports: submitExport and pollExports"
    expandBatch      = "Expands batch manifests: expandBatch"
    cancelExports    = "Cancels exports: cancelExports"
    recordDeadLetter = "Records dead messages: recordDeadLetter"
  }
  # Which account each function runs as.
  runs_as = {
    submitExport     = "sender"
    pollExports      = "sender"
    expandBatch      = "expandBatch"
    cancelExports    = "cancelExports"
    recordDeadLetter = "recordDeadLetter"
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
  depends_on   = [google_project_service.this]
}

# Calls the functions, and nothing else: Pub/Sub's pushes and Scheduler's polls carry its tokens.
resource "google_service_account" "invoker" {
  project      = var.project_id
  account_id   = "video-export-invoker"
  display_name = "Calls the video export functions"
  depends_on   = [google_project_service.this]
}

# Turns uploaded source into images. The default account is an editor in old projects and has no rights in new ones.
resource "google_service_account" "builder" {
  project      = var.project_id
  account_id   = "video-export-builder"
  display_name = "Builds the video export functions"
  depends_on   = [google_project_service.this]
}

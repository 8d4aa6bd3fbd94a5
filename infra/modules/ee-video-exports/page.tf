# The page: showExports. Never public: Cloud Run itself checks who calls it, before any code of the function runs.

locals {
  page_service = google_cloudfunctions2_function.this["showExports"].name
}

# It may only read, and only this database.
resource "google_project_iam_member" "page_records" {
  project = var.project_id
  role    = "roles/datastore.viewer"
  member  = google_service_account.function["showExports"].member

  condition {
    title      = "video-exports-database"
    expression = "resource.name == 'projects/${var.project_id}/databases/${var.firestore.database}'"
  }
}

# Without IAP, each viewer calls the service with a token of their own: `gcloud run services proxy`.
resource "google_cloud_run_v2_service_iam_member" "viewers" {
  for_each = var.page.iap ? [] : var.page.viewers
  project  = var.project_id
  location = var.region
  name     = local.page_service
  role     = "roles/run.invoker"
  member   = each.value

  lifecycle {
    replace_triggered_by = [google_cloudfunctions2_function.this["showExports"].id]
  }
}

# With IAP, a browser signs in at Google, and only IAP calls the service. The resource of a function cannot turn IAP on: the output
# `page` has the command.

resource "google_iap_web_cloud_run_service_iam_member" "viewers" {
  for_each               = var.page.iap ? var.page.viewers : []
  project                = var.project_id
  location               = var.region
  cloud_run_service_name = local.page_service
  role                   = "roles/iap.httpsResourceAccessor"
  member                 = each.value
}

resource "google_cloud_run_v2_service_iam_member" "iap" {
  count    = var.page.iap ? 1 : 0
  project  = var.project_id
  location = var.region
  name     = local.page_service
  role     = "roles/run.invoker"
  member   = google_project_service_identity.this["iap.googleapis.com"].member

  lifecycle {
    replace_triggered_by = [google_cloudfunctions2_function.this["showExports"].id]
  }
}

# The videos that it shows. For a bucket with `grant = false`, exports are shown without their video.
resource "google_storage_bucket_iam_member" "page_exports" {
  for_each = { for name, bucket in var.export_buckets : name => bucket if bucket.grant }
  bucket   = each.value.create ? google_storage_bucket.exports[each.key].name : each.key
  role     = "roles/storage.objectViewer"
  member   = google_service_account.function["showExports"].member
}

resource "google_storage_bucket" "source" {
  project                     = var.project_id
  name                        = "${var.project_id}-video-export-source"
  location                    = var.region
  labels                      = var.labels
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  depends_on                  = [google_project_service.this]
}

# The name contains a hash of the content, so unchanged code is not deployed again.
resource "google_storage_bucket_object" "source" {
  for_each = local.functions
  bucket   = google_storage_bucket.source.name
  name     = "${each.key}/${filesha256("${var.bundle_directory}/${each.key}.zip")}.zip"
  source   = "${var.bundle_directory}/${each.key}.zip"
}

resource "google_storage_bucket" "exports" {
  for_each                    = { for name, bucket in var.export_buckets : name => bucket if bucket.create }
  project                     = var.project_id
  name                        = each.key
  location                    = coalesce(each.value.location, var.region)
  labels                      = var.labels
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  dynamic "lifecycle_rule" {
    for_each = each.value.delete_after_days == null ? [] : [each.value.delete_after_days]
    content {
      action {
        type = "Delete"
      }
      condition {
        age = lifecycle_rule.value
      }
    }
  }

  # `terraform destroy` keeps the videos: it does not delete a bucket that contains objects.
  force_destroy = false

  depends_on = [google_project_service.this]
}

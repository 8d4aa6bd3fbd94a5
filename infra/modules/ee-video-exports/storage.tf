resource "google_storage_bucket" "source" {
  project                     = var.project_id
  name                        = "${var.project_id}-video-export-source"
  location                    = var.region
  labels                      = var.labels
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  dynamic "encryption" {
    for_each = var.kms_key_name[*]
    content {
      default_kms_key_name = encryption.value
    }
  }

  # Bundles that no version uses any more. If a bundle in use gets that old, the next apply uploads it again, and nothing else changes.
  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      age = 365
    }
  }

  depends_on = [time_sleep.apis, time_sleep.encryption]
}

# The name contains a hash of the content, so unchanged code is not deployed again.
resource "google_storage_bucket_object" "source" {
  for_each = local.functions
  bucket   = google_storage_bucket.source.name
  name     = "${each.key}/${filesha256("${local.bundle_directory}/${each.key}.zip")}.zip"
  source   = "${local.bundle_directory}/${each.key}.zip"
  # The bundles of former versions stay, for rolling back.
  deletion_policy = "ABANDON"
}

# The images of the functions. Google's default repository keeps them forever.
resource "google_artifact_registry_repository" "this" {
  project       = var.project_id
  location      = var.region
  repository_id = "video-export-functions"
  description   = "The images of the video export functions"
  format        = "DOCKER"
  labels        = var.labels
  kms_key_name  = var.kms_key_name

  cleanup_policies {
    id     = "delete-old-images"
    action = "DELETE"
    condition {
      older_than = "2592000s"
    }
  }

  cleanup_policies {
    id     = "keep-recent-versions"
    action = "KEEP"
    most_recent_versions {
      keep_count = 5
    }
  }

  depends_on = [time_sleep.apis, time_sleep.encryption]
}

resource "google_storage_bucket" "exports" {
  for_each                    = { for name, bucket in var.export_buckets : name => bucket if bucket.create }
  project                     = var.project_id
  name                        = each.key
  location                    = coalesce(each.value.location, var.region)
  labels                      = var.labels
  uniform_bucket_level_access = !each.value.public
  public_access_prevention    = each.value.public ? "inherited" : "enforced"

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

  dynamic "encryption" {
    for_each = var.kms_key_name[*]
    content {
      default_kms_key_name = encryption.value
    }
  }

  # `terraform destroy` keeps the videos: it does not delete a bucket that contains objects.
  force_destroy = false

  depends_on = [time_sleep.apis, time_sleep.encryption]
}

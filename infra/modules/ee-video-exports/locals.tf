locals {
  earth_engine_projects = (
    length(var.earth_engine_projects) > 0
    ? var.earth_engine_projects
    : [var.project_id]
  )
  destinations = (
    var.allowed_destinations != null
    ? var.allowed_destinations
    : [for name in keys(var.export_buckets) : "gs://${name}/*"]
  )
  location         = coalesce(var.firestore.location, var.region)
  bundle_directory = coalesce(var.bundle_directory, "${path.module}/../../../build/deploy")
}

# The names of some of Google's resources contain the project number.
data "google_project" "this" {
  project_id = var.project_id
}

# Google creates a service agent when a service needs it for the first time, which is too late for its grants.
resource "google_project_service_identity" "this" {
  for_each = toset(concat(
    ["pubsub.googleapis.com"],
    var.page.iap ? ["iap.googleapis.com"] : [],
    var.kms_key_name == null ? [] : local.encrypting_services,
  ))
  project    = var.project_id
  service    = each.key
  depends_on = [time_sleep.apis]
}

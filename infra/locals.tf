# The names of Google's service agents contain the project number.
data "google_project" "this" {
  project_id = var.project_id
}

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
  location = coalesce(var.firestore.location, var.region)
  pubsub_agent = format(
    "serviceAccount:service-%s@gcp-sa-pubsub.iam.gserviceaccount.com",
    data.google_project.this.number
  )
}

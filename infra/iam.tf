# Grants are additive (…_iam_member), because this stack must not remove grants that it did not make.

locals {
  earth_engine_permissions = {
    sender = [
      "earthengine.exports.create",
      "earthengine.operations.get",
      "earthengine.operations.list",
      "earthengine.operations.update",
    ]
    cancelExports = [
      "earthengine.operations.get",
      "earthengine.operations.list",
      "earthengine.operations.update",
    ]
  }
  _earth_engine_grants = {
    for grant in setproduct(keys(local.earth_engine_permissions), local.earth_engine_projects) :
    "${grant[0]}/${grant[1]}" => { account = grant[0], project = grant[1] }
  }
  # The topics that each account publishes to.
  publishes_to = {
    sender           = ["events", "dead_letters"]
    expandBatch      = ["jobs", "events", "dead_letters"]
    cancelExports    = ["events", "dead_letters"]
    recordDeadLetter = []
  }
  _publish_grants = merge([
    for account, topics in local.publishes_to : {
      for topic in topics : "${account}/${topic}" => { account = account, topic = topic }
    }
  ]...)
  _publishers = merge([
    for topic, members in var.publishers : {
      for member in members : "${topic}/${member}" => { member = member, topic = topic }
    }
  ]...)
  builder_roles = toset([
    "roles/artifactregistry.writer",
    "roles/logging.logWriter",
  ])
}

# Earth Engine. A custom role belongs to one project, so each Earth Engine project has its own.

resource "google_project_iam_custom_role" "earth_engine" {
  for_each    = local._earth_engine_grants
  project     = each.value.project
  role_id     = "videoExport${title(each.value.account)}"
  title       = "Video exports: ${each.value.account}"
  description = "What the ${each.value.account} account of ${var.project_id} needs in Earth Engine."
  permissions = local.earth_engine_permissions[each.value.account]
}

resource "google_project_iam_member" "earth_engine" {
  for_each = local._earth_engine_grants
  project  = each.value.project
  role     = google_project_iam_custom_role.earth_engine[each.key].id
  member   = google_service_account.function[each.value.account].member
}

# Each call names the job's project as its quota project (X-Goog-User-Project).
resource "google_project_iam_member" "quota" {
  for_each = local._earth_engine_grants
  project  = each.value.project
  role     = "roles/serviceusage.serviceUsageConsumer"
  member   = google_service_account.function[each.value.account].member
}

# Firestore: this database only.

resource "google_project_iam_member" "records" {
  for_each = google_service_account.function
  project  = var.project_id
  role     = "roles/datastore.user"
  member   = each.value.member

  condition {
    title      = "video-exports-database"
    expression = "resource.name == 'projects/${var.project_id}/databases/${var.firestore.database}'"
  }
}

resource "google_project_iam_member" "readers" {
  for_each = var.readers
  project  = var.project_id
  role     = "roles/datastore.viewer"
  member   = each.value

  condition {
    title      = "video-exports-database"
    expression = "resource.name == 'projects/${var.project_id}/databases/${var.firestore.database}'"
  }
}

# Pub/Sub.

resource "google_pubsub_topic_iam_member" "functions" {
  for_each = local._publish_grants
  project  = var.project_id
  topic    = google_pubsub_topic.this[each.value.topic].id
  role     = "roles/pubsub.publisher"
  member   = google_service_account.function[each.value.account].member
}

resource "google_pubsub_topic_iam_member" "publishers" {
  for_each = local._publishers
  project  = var.project_id
  topic    = google_pubsub_topic.this[each.value.topic].id
  role     = "roles/pubsub.publisher"
  member   = each.value.member
}

resource "google_pubsub_topic_iam_member" "event_subscribers" {
  for_each = var.event_subscribers
  project  = var.project_id
  topic    = google_pubsub_topic.this["events"].id
  role     = "roles/pubsub.subscriber"
  member   = each.value
}

# Pub/Sub's service agent forwards dead letters: it publishes to the dead-letter topic and acknowledges the message in the
# original subscription.

resource "google_pubsub_topic_iam_member" "dead_letters" {
  project = var.project_id
  topic   = google_pubsub_topic.this["dead_letters"].id
  role    = "roles/pubsub.publisher"
  member  = local.pubsub_agent
}

resource "google_pubsub_subscription_iam_member" "dead_letters" {
  for_each     = { for target, push in local.pushes : target => push if push.dead_letters }
  project      = var.project_id
  subscription = google_pubsub_subscription.push[each.key].id
  role         = "roles/pubsub.subscriber"
  member       = local.pubsub_agent
}

# Calling the functions. A function that is re-created is a new Cloud Run service without the grant.

resource "google_cloud_run_v2_service_iam_member" "invoker" {
  for_each = google_cloudfunctions2_function.this
  project  = var.project_id
  location = var.region
  name     = each.value.name
  role     = "roles/run.invoker"
  member   = google_service_account.invoker.member

  lifecycle {
    replace_triggered_by = [google_cloudfunctions2_function.this[each.key]]
  }
}

resource "google_service_account_iam_member" "push_tokens" {
  service_account_id = google_service_account.invoker.name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = local.pubsub_agent
  # Google creates the agent together with the first topic.
  depends_on = [google_pubsub_topic.this]
}

# Storage: Earth Engine writes the videos as the account that started the export. To overwrite a video, it must be able to
# delete the old one.

resource "google_storage_bucket_iam_member" "exports" {
  for_each = var.export_buckets
  bucket   = each.value.create ? google_storage_bucket.exports[each.key].name : each.key
  role     = "roles/storage.objectUser"
  member   = google_service_account.function["sender"].member
}

# The build of the functions.

resource "google_project_iam_member" "builder" {
  for_each = local.builder_roles
  project  = var.project_id
  role     = each.value
  member   = google_service_account.builder.member
}

# Cloud Functions copies the source into its own bucket, which it creates together with the first function of a region.
resource "google_project_iam_member" "builder_source" {
  project = var.project_id
  role    = "roles/storage.objectViewer"
  member  = google_service_account.builder.member

  condition {
    title      = "functions-source"
    expression = "resource.name.startsWith('projects/_/buckets/gcf-v2-sources-${data.google_project.this.number}-')"
  }
}

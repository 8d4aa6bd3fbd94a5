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
    sender           = ["events", "dead_letters", "polls"]
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
  # Every role of this file that is granted for a whole project, by project. CI may grant these and no others.
  project_roles = {
    for project in distinct(concat([var.project_id], local.earth_engine_projects)) : project => concat(
      contains(local.earth_engine_projects, project) ? concat(
        [for account in keys(local.earth_engine_permissions) : "projects/${project}/roles/videoExport${title(account)}"],
        ["roles/serviceusage.serviceUsageConsumer"],
      ) : [],
      project == var.project_id ? [
        "roles/cloudscheduler.jobRunner",
        "roles/datastore.user",
        "roles/datastore.viewer",
        "roles/logging.logWriter",
        "roles/logging.viewer",
        "roles/monitoring.viewer",
        "roles/storage.objectViewer",
      ] : [],
    )
  }
  # For the pause in apis.tf.
  builder_grants = [
    google_artifact_registry_repository_iam_member.builder.id,
    google_project_iam_member.builder.id,
    google_project_iam_member.builder_source.id,
  ]
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
  for_each = { for name, account in google_service_account.function : name => account if name != "showExports" }
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

# Operators: what the command line and OPERATIONS.md need, and no more.

locals {
  # A retry publishes events, and a replay publishes to the original topic.
  _operator_topics = merge([
    for topic in ["jobs", "batches", "cancellations", "events"] : {
      for member in var.operators : "${topic}/${member}" => { member = member, topic = topic }
    }
  ]...)
  _operator_buckets = merge([
    for name, bucket in var.export_buckets : {
      for member in var.operators : "${name}/${member}" => { bucket = name, create = bucket.create, member = member } if bucket.grant
    }
  ]...)
  _operator_roles = merge([
    for role in ["roles/cloudscheduler.jobRunner", "roles/logging.viewer", "roles/monitoring.viewer"] : {
      for member in var.operators : "${role}/${member}" => { member = member, role = role }
    }
  ]...)
}

resource "google_project_iam_member" "operator_records" {
  for_each = var.operators
  project  = var.project_id
  role     = "roles/datastore.user"
  member   = each.value

  condition {
    title      = "video-exports-database"
    expression = "resource.name == 'projects/${var.project_id}/databases/${var.firestore.database}'"
  }
}

resource "google_project_iam_member" "operators" {
  for_each = local._operator_roles
  project  = var.project_id
  role     = each.value.role
  member   = each.value.member
}

resource "google_pubsub_topic_iam_member" "operators" {
  for_each = local._operator_topics
  project  = var.project_id
  topic    = google_pubsub_topic.this[each.value.topic].id
  role     = "roles/pubsub.publisher"
  member   = each.value.member
}

# Also to purge dead letters, which is a seek.
resource "google_pubsub_subscription_iam_member" "operators" {
  for_each     = var.operators
  project      = var.project_id
  subscription = google_pubsub_subscription.dead_letters.id
  role         = "roles/pubsub.subscriber"
  member       = each.value
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
  member  = google_project_service_identity.this["pubsub.googleapis.com"].member
}

resource "google_pubsub_subscription_iam_member" "dead_letters" {
  for_each     = { for target, push in local.pushes : target => push if push.dead_letters }
  project      = var.project_id
  subscription = google_pubsub_subscription.push[each.key].id
  role         = "roles/pubsub.subscriber"
  member       = google_project_service_identity.this["pubsub.googleapis.com"].member
}

# Calling the functions. A function that is re-created is a new Cloud Run service without the grant. The trigger is the id, which
# changes only then: with the whole function as the trigger, each update would start by removing the grant.

resource "google_cloud_run_v2_service_iam_member" "invoker" {
  for_each = { for target, function in google_cloudfunctions2_function.this : target => function if target != "showExports" }
  project  = var.project_id
  location = var.region
  name     = each.value.name
  role     = "roles/run.invoker"
  member   = google_service_account.invoker.member

  lifecycle {
    replace_triggered_by = [google_cloudfunctions2_function.this[each.key].id]
  }
}

resource "google_service_account_iam_member" "push_tokens" {
  service_account_id = google_service_account.invoker.name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = google_project_service_identity.this["pubsub.googleapis.com"].member
}

# Storage: Earth Engine writes the videos as the account that started the export. To overwrite a video, it must be able to
# delete the old one.

resource "google_storage_bucket_iam_member" "exports" {
  for_each = { for name, bucket in var.export_buckets : name => bucket if bucket.grant }
  bucket   = each.value.create ? google_storage_bucket.exports[each.key].name : each.key
  role     = "roles/storage.objectUser"
  member   = google_service_account.function["sender"].member
}

# `permissions: PUBLIC` needs OWNER of the bucket, whose role in IAM this is.
resource "google_storage_bucket_iam_member" "public" {
  for_each = { for name, bucket in var.export_buckets : name => bucket if bucket.grant && bucket.public }
  bucket   = each.value.create ? google_storage_bucket.exports[each.key].name : each.key
  role     = "roles/storage.legacyBucketOwner"
  member   = google_service_account.function["sender"].member
}

# `download`. The functions read the videos with the role above.
resource "google_storage_bucket_iam_member" "operators" {
  for_each = local._operator_buckets
  bucket   = each.value.create ? google_storage_bucket.exports[each.value.bucket].name : each.value.bucket
  role     = "roles/storage.objectViewer"
  member   = each.value.member
}

# The build of the functions.

resource "google_project_iam_member" "builder" {
  project = var.project_id
  role    = "roles/logging.logWriter"
  member  = google_service_account.builder.member
}

resource "google_artifact_registry_repository_iam_member" "builder" {
  project    = var.project_id
  location   = google_artifact_registry_repository.this.location
  repository = google_artifact_registry_repository.this.name
  role       = "roles/artifactregistry.writer"
  member     = google_service_account.builder.member
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

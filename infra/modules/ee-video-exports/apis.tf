# The APIs stay enabled when the stack is destroyed, because other things in the project may use them.
resource "google_project_service" "this" {
  for_each = toset(concat([
    "artifactregistry.googleapis.com",
    "cloudbuild.googleapis.com",
    "cloudfunctions.googleapis.com",
    "cloudresourcemanager.googleapis.com",
    "cloudscheduler.googleapis.com",
    "earthengine.googleapis.com",
    "firebaserules.googleapis.com",
    "firestore.googleapis.com",
    "iam.googleapis.com",
    "iamcredentials.googleapis.com",
    "logging.googleapis.com",
    "monitoring.googleapis.com",
    "pubsub.googleapis.com",
    "run.googleapis.com",
    "serviceusage.googleapis.com",
    "storage.googleapis.com",
  ], var.kms_key_name == null ? [] : ["cloudkms.googleapis.com"], var.page.iap ? ["iap.googleapis.com"] : []))
  project            = var.project_id
  service            = each.key
  disable_on_destroy = false
}

# New APIs, grants, and metrics take some time to work everywhere. Without these pauses, a first apply fails. A pause repeats only if
# one of its triggers changes.

resource "time_sleep" "apis" {
  create_duration = "60s"
  triggers        = { services = join(",", sort([for service in google_project_service.this : service.service])) }
}

# The provider's own example of a function with a build account waits as long.
resource "time_sleep" "build_grants" {
  create_duration = "60s"
  triggers = {
    builder = google_service_account.builder.unique_id
    grants  = join(",", sort(local.builder_grants))
  }
}

resource "time_sleep" "encryption" {
  count           = var.kms_key_name == null ? 0 : 1
  create_duration = "60s"
  triggers        = { grants = join(",", sort([for grant in google_kms_crypto_key_iam_member.this : grant.id])) }
}

# "If a metric was created recently, it could take up to 10 minutes to become available."
resource "time_sleep" "metrics" {
  create_duration = "600s"
  triggers = {
    metrics = join(",", sort(concat(
      [for metric in google_logging_metric.counter : metric.id],
      [for metric in google_logging_metric.gauge : metric.id],
      [google_logging_metric.scheduler_failures.id],
    )))
  }
}

# The account that cloudbuild.yaml runs as. It has the roles that `terraform apply` needs, and no basic role. It can change
# grants, and so can everyone who can push to the branch: protect the branch.

locals {
  deployer_roles = toset(var.deployer == null ? [] : [
    "roles/cloudbuild.builds.editor",
    "roles/cloudfunctions.developer",
    "roles/cloudscheduler.admin",
    "roles/datastore.owner",
    "roles/firebaserules.admin",
    "roles/iam.roleAdmin",
    "roles/iam.serviceAccountAdmin",
    "roles/logging.configWriter",
    "roles/logging.logWriter",
    "roles/monitoring.editor",
    "roles/pubsub.admin",
    "roles/resourcemanager.projectIamAdmin",
    "roles/run.admin",
    "roles/serviceusage.serviceUsageAdmin",
    "roles/storage.admin",
  ])
  # A deployment attaches these accounts to functions, subscriptions, and schedules.
  _acted_as = var.deployer == null ? {} : merge(
    google_service_account.function,
    { builder = google_service_account.builder, invoker = google_service_account.invoker },
  )
}

resource "google_service_account" "deployer" {
  count        = var.deployer == null ? 0 : 1
  project      = var.project_id
  account_id   = "video-export-deployer"
  display_name = "Deploys the video export stack"
  depends_on   = [google_project_service.this]
}

resource "google_project_iam_member" "deployer" {
  for_each = local.deployer_roles
  project  = var.project_id
  role     = each.value
  member   = google_service_account.deployer[0].member
}

resource "google_service_account_iam_member" "deployer" {
  for_each           = local._acted_as
  service_account_id = each.value.name
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.deployer[0].member
}

resource "google_storage_bucket_iam_member" "state" {
  count  = var.deployer == null ? 0 : 1
  bucket = var.deployer.state_bucket
  role   = "roles/storage.objectUser"
  member = google_service_account.deployer[0].member
}

resource "google_cloudbuild_trigger" "deploy" {
  count           = try(var.deployer.repository, null) == null ? 0 : 1
  project         = var.project_id
  location        = var.region
  name            = "video-export-deploy"
  description     = "Verifies, plans, and applies every push to the branch"
  filename        = "cloudbuild.yaml"
  service_account = google_service_account.deployer[0].id
  substitutions = {
    _STATE_BUCKET = var.deployer.state_bucket
  }

  repository_event_config {
    repository = var.deployer.repository
    push {
      branch = var.deployer.branch
    }
  }

  depends_on = [google_project_iam_member.deployer]
}

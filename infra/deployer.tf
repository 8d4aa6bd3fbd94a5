# The accounts of continuous deployment. The verifier runs the tests, which is code of many packages: it can write logs and bundles, and
# nothing else. The deployer runs only Terraform, after an approval.

variable "deployer" {
  description = "Creates the accounts of continuous deployment. state_bucket is the bucket with Terraform's state and settings. For Cloud Build, set repository (projects/P/locations/L/connections/C/repositories/R), branch, and approvers (IAM members). For GitHub Actions, set github."
  type = object({
    approvers    = optional(set(string), [])
    branch       = optional(string, "^main$")
    repository   = optional(string)
    state_bucket = string
    github = optional(object({
      environment = optional(string, "production")
      repository  = string
    }))
  })
  default = null
}

locals {
  deploys = var.deployer == null ? [] : [var.deployer]
  github  = try(var.deployer.github, null)[*]
  # What `terraform apply` of this stack needs, and no basic role. Grants in projects are separate, below.
  deployer_roles = toset(var.deployer == null ? [] : concat([
    "roles/artifactregistry.admin",
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
    "roles/run.admin",
    "roles/serviceusage.serviceUsageAdmin",
    "roles/storage.admin",
    ],
    length(local.github) == 0 ? [] : ["roles/iam.workloadIdentityPoolViewer"],
    var.vpc == null ? [] : ["roles/vpcaccess.user"],
  ))
}

resource "google_service_account" "verifier" {
  count        = length(local.deploys)
  project      = module.exports.project_id
  account_id   = "video-export-verifier"
  display_name = "Tests and bundles the video export functions"
}

resource "google_service_account" "deployer" {
  count        = length(local.deploys)
  project      = module.exports.project_id
  account_id   = "video-export-deployer"
  display_name = "Deploys the video export stack"
}

# Bundles by commit.
resource "google_storage_bucket" "artifacts" {
  count                       = length(local.deploys)
  project                     = module.exports.project_id
  name                        = "${var.project_id}-video-export-artifacts"
  location                    = var.region
  labels                      = var.labels
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      age = 365
    }
  }
}

resource "google_project_iam_member" "verifier_logs" {
  count   = length(local.deploys)
  project = var.project_id
  role    = "roles/logging.logWriter"
  member  = google_service_account.verifier[0].member
}

# It can add bundles, but neither replace nor delete them.
resource "google_storage_bucket_iam_member" "verifier" {
  for_each = toset(var.deployer == null ? [] : ["roles/storage.objectCreator", "roles/storage.objectViewer"])
  bucket   = google_storage_bucket.artifacts[0].name
  role     = each.value
  member   = google_service_account.verifier[0].member
}

resource "google_project_iam_member" "deployer" {
  for_each = local.deployer_roles
  project  = var.project_id
  role     = each.value
  member   = google_service_account.deployer[0].member
}

# The deployer can grant the roles of the stack, here and in the Earth Engine projects. It cannot grant itself more.
resource "google_project_iam_member" "deployer_grants" {
  for_each = var.deployer == null ? {} : module.exports.project_roles
  project  = each.key
  role     = "roles/resourcemanager.projectIamAdmin"
  member   = google_service_account.deployer[0].member

  condition {
    title      = "only-roles-of-video-exports"
    expression = "api.getAttribute('iam.googleapis.com/modifiedGrantsByRole', []).hasOnly([${join(", ", [for role in each.value : "'${role}'"])}])"
  }
}

# A custom role belongs to the Earth Engine project that it is for.
resource "google_project_iam_member" "deployer_earth_engine" {
  for_each = toset(var.deployer == null ? [] : [for project in var.earth_engine_projects : project if project != var.project_id])
  project  = each.value
  role     = "roles/iam.roleAdmin"
  member   = google_service_account.deployer[0].member
}

# A deployment attaches these accounts to functions, subscriptions, schedules, and triggers.
resource "google_service_account_iam_member" "deployer" {
  for_each = var.deployer == null ? {} : merge(module.exports.service_accounts, {
    deployer = google_service_account.deployer[0].name
    verifier = google_service_account.verifier[0].name
  })
  service_account_id = each.value
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.deployer[0].member
}

resource "google_storage_bucket_iam_member" "state" {
  count  = length(local.deploys)
  bucket = var.deployer.state_bucket
  role   = "roles/storage.objectUser"
  member = google_service_account.deployer[0].member
}

# Buckets of other projects, to which the stack gives its sender access.
resource "google_storage_bucket_iam_member" "deployer_buckets" {
  for_each = toset(var.deployer == null ? [] : [for name, bucket in var.export_buckets : name if bucket.grant && !bucket.create])
  bucket   = each.value
  role     = "roles/storage.admin"
  member   = google_service_account.deployer[0].member
}

resource "google_kms_crypto_key_iam_member" "deployer" {
  count         = var.deployer == null || var.kms_key_name == null ? 0 : 1
  crypto_key_id = var.kms_key_name
  role          = "roles/cloudkms.admin"
  member        = google_service_account.deployer[0].member
}

# Cloud Build. Both builds start with a push, and the second one waits for an approval. It finds no bundles unless the first one passed.

resource "google_cloudbuild_trigger" "verify" {
  count           = try(var.deployer.repository, null) == null ? 0 : 1
  project         = var.project_id
  location        = var.region
  name            = "video-export-verify"
  description     = "Verifies and bundles every push to the branch"
  filename        = "cloudbuild.yaml"
  service_account = google_service_account.verifier[0].id
  substitutions   = { _ARTIFACTS = google_storage_bucket.artifacts[0].name }

  repository_event_config {
    repository = var.deployer.repository
    push {
      branch = var.deployer.branch
    }
  }

  depends_on = [google_project_iam_member.verifier_logs, google_storage_bucket_iam_member.verifier]
}

resource "google_cloudbuild_trigger" "deploy" {
  count           = try(var.deployer.repository, null) == null ? 0 : 1
  project         = var.project_id
  location        = var.region
  name            = "video-export-deploy"
  description     = "Plans and applies every push to the branch, after an approval"
  filename        = "cloudbuild-deploy.yaml"
  service_account = google_service_account.deployer[0].id
  substitutions = {
    _ARTIFACTS    = google_storage_bucket.artifacts[0].name
    _STATE_BUCKET = var.deployer.state_bucket
  }

  approval_config {
    approval_required = true
  }

  repository_event_config {
    repository = var.deployer.repository
    push {
      branch = var.deployer.branch
    }
  }

  depends_on = [google_project_iam_member.deployer]
}

resource "google_project_iam_member" "approvers" {
  for_each = try(var.deployer.approvers, toset([]))
  project  = var.project_id
  role     = "roles/cloudbuild.builds.approver"
  member   = each.value
}

# GitHub Actions (docs/examples/github-actions.yaml). There is no key: GitHub's token of a job in the environment, whose reviewers
# approve the job, is exchanged for one of the deployer. The job that verifies has no access at all.

resource "google_project_service" "github" {
  for_each           = toset([for github in local.github : "sts.googleapis.com"])
  project            = var.project_id
  service            = each.value
  disable_on_destroy = false
}

resource "google_iam_workload_identity_pool" "github" {
  count                     = length(local.github)
  project                   = var.project_id
  workload_identity_pool_id = "video-export-github"
  display_name              = "GitHub Actions"
  depends_on                = [google_project_service.github]
}

resource "google_iam_workload_identity_pool_provider" "github" {
  count                              = length(local.github)
  project                            = var.project_id
  workload_identity_pool_id          = google_iam_workload_identity_pool.github[0].workload_identity_pool_id
  workload_identity_pool_provider_id = "github"
  attribute_mapping                  = { "google.subject" = "assertion.sub" }
  attribute_condition                = "assertion.repository == '${local.github[0].repository}'"

  oidc {
    issuer_uri = "https://token.actions.githubusercontent.com"
  }
}

resource "google_service_account_iam_member" "github" {
  count              = length(local.github)
  service_account_id = google_service_account.deployer[0].name
  role               = "roles/iam.workloadIdentityUser"
  member             = "principal://iam.googleapis.com/${google_iam_workload_identity_pool.github[0].name}/subject/repo:${local.github[0].repository}:environment:${local.github[0].environment}"
}

output "deployer" {
  description = "What docs/examples/github-actions.yaml needs to know."
  value = var.deployer == null ? null : {
    account                    = google_service_account.deployer[0].email
    artifacts_bucket           = google_storage_bucket.artifacts[0].name
    workload_identity_provider = try(google_iam_workload_identity_pool_provider.github[0].name, null)
  }
}

# The root module with a mocked provider. Every variable is set here, because Terraform also reads terraform.tfvars, if it is present.
# The tests of the module itself are in modules/ee-video-exports/tests.

mock_provider "google" {
  source = "./modules/ee-video-exports/tests/mocks"
}

mock_provider "time" {}

variables {
  alerts                = {}
  allowed_destinations  = null
  bundle_directory      = "modules/ee-video-exports/tests/bundles"
  deployer              = null
  earth_engine_projects = []
  event_subscribers     = []
  export_buckets        = { "demo-exports-videos" = {} }
  firestore             = {}
  hold_messages         = false
  indexed_labels        = []
  instances             = {}
  kms_key_name          = null
  labels                = {}
  operators             = []
  page                  = {}
  paused                = false
  project_id            = "demo-exports"
  publishers            = {}
  readers               = []
  region                = "us-central1"
  schedules             = {}
  settings              = {}
  topics                = {}
  vpc                   = null
}

run "the_deployer_is_optional" {
  command = apply

  assert {
    condition = (
      length(google_service_account.deployer) == 0 &&
      length(google_service_account.verifier) == 0 &&
      length(google_project_iam_member.deployer) == 0 &&
      length(google_project_iam_member.deployer_grants) == 0
    )
    error_message = "An account with many rights exists although `deployer` is not set."
  }

  assert {
    condition     = jsondecode(output.first_job).request.fileExportOptions.cloudStorageDestination.bucket == "demo-exports-videos"
    error_message = "The outputs of the module are lost."
  }
}

run "the_verifier_can_write_logs_and_bundles_only" {
  command = apply

  variables {
    deployer = {
      approvers    = ["group:leads@example.com"]
      state_bucket = "demo-exports-state"
      repository   = "projects/demo-exports/locations/us-central1/connections/c/repositories/r"
    }
  }

  assert {
    condition = (
      google_project_iam_member.verifier_logs[0].role == "roles/logging.logWriter" &&
      toset(keys(google_storage_bucket_iam_member.verifier)) == toset(["roles/storage.objectCreator", "roles/storage.objectViewer"]) &&
      alltrue([for grant in google_storage_bucket_iam_member.verifier : grant.bucket == google_storage_bucket.artifacts[0].name])
    )
    error_message = "The account that runs the tests can do more than it should."
  }

  assert {
    condition = (
      google_cloudbuild_trigger.verify[0].filename == "cloudbuild.yaml" &&
      google_cloudbuild_trigger.verify[0].service_account == google_service_account.verifier[0].id
    )
    error_message = "The tests do not run as the verifier."
  }

  assert {
    condition = (
      google_cloudbuild_trigger.deploy[0].filename == "cloudbuild-deploy.yaml" &&
      google_cloudbuild_trigger.deploy[0].service_account == google_service_account.deployer[0].id &&
      one(google_cloudbuild_trigger.deploy[0].approval_config).approval_required
    )
    error_message = "A deployment runs as another account, or without an approval."
  }

  assert {
    condition     = google_project_iam_member.approvers["group:leads@example.com"].role == "roles/cloudbuild.builds.approver"
    error_message = "The approvers cannot approve a deployment."
  }

  assert {
    condition     = toset(keys(google_service_account_iam_member.deployer)) == toset(["builder", "cancelExports", "deployer", "expandBatch", "invoker", "recordDeadLetter", "sender", "showExports", "verifier"])
    error_message = "The deployer cannot attach an account."
  }
}

run "the_deployer_works_in_other_projects" {
  command = apply

  variables {
    earth_engine_projects = ["demo-exports", "demo-other"]
    export_buckets = {
      "demo-exports-videos" = {}
      "other-videos"        = { create = false }
      "foreign-videos"      = { create = false, grant = false }
    }
    deployer = { state_bucket = "demo-exports-state" }
  }

  assert {
    condition = (
      toset(keys(google_project_iam_member.deployer_grants)) == toset(["demo-exports", "demo-other"]) &&
      toset(keys(google_project_iam_member.deployer_earth_engine)) == toset(["demo-other"]) &&
      toset(keys(google_storage_bucket_iam_member.deployer_buckets)) == toset(["other-videos"])
    )
    error_message = "The deployer cannot make the grants in another project."
  }

  assert {
    condition     = one(google_project_iam_member.deployer_grants["demo-other"].condition).expression == "api.getAttribute('iam.googleapis.com/modifiedGrantsByRole', []).hasOnly(['projects/demo-other/roles/videoExportCancelExports', 'projects/demo-other/roles/videoExportSender', 'roles/serviceusage.serviceUsageConsumer'])"
    error_message = "The deployer can grant other roles in another project."
  }

  assert {
    condition     = length(google_cloudbuild_trigger.deploy) == 0
    error_message = "A trigger exists without a repository."
  }
}

run "the_deployer_cannot_grant_its_own_roles" {
  command = apply

  variables {
    kms_key_name = "projects/demo-keys/locations/us-central1/keyRings/ring/cryptoKeys/key"
    vpc          = { connector = "projects/demo-net/locations/us-central1/connectors/c" }
    deployer     = { state_bucket = "demo-exports-state" }
  }

  assert {
    condition = alltrue([
      for role in setsubtract(local.deployer_roles, ["roles/logging.logWriter"]) :
      !strcontains(one(google_project_iam_member.deployer_grants["demo-exports"].condition).expression, "'${role}'")
    ])
    error_message = "The deployer can grant a role that only deployments need."
  }

  assert {
    condition     = length(google_kms_crypto_key_iam_member.deployer) == 1 && contains(local.deployer_roles, "roles/vpcaccess.user")
    error_message = "The deployer cannot use the key or the connector."
  }
}

run "only_the_environment_of_the_repository_can_deploy" {
  command = apply

  variables {
    deployer = {
      state_bucket = "demo-exports-state"
      github       = { repository = "example/ee-video-exports" }
    }
  }

  override_resource {
    target = google_iam_workload_identity_pool.github
    values = { name = "projects/123456789012/locations/global/workloadIdentityPools/video-export-github" }
  }

  assert {
    condition     = google_service_account_iam_member.github[0].member == "principal://iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/video-export-github/subject/repo:example/ee-video-exports:environment:production"
    error_message = "Another job could deploy."
  }

  assert {
    condition     = google_iam_workload_identity_pool_provider.github[0].attribute_condition == "assertion.repository == 'example/ee-video-exports'"
    error_message = "The provider accepts tokens of other repositories."
  }
}

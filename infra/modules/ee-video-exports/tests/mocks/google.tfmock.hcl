# What the mocked provider answers, for the tests of this module and of the root module.

mock_data "google_project" {
  defaults = { number = "123456789012" }
}

mock_resource "google_cloudfunctions2_function" {
  defaults = {
    service_config = { uri = "https://function.a.run.app", service = "function" }
  }
}

mock_resource "google_project_service_identity" {
  defaults = { member = "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com" }
}

mock_data "google_storage_project_service_account" {
  defaults = { member = "serviceAccount:service-123456789012@gs-project-accounts.iam.gserviceaccount.com" }
}

mock_resource "google_firebaserules_ruleset" {
  defaults = { name = "12345678" }
}

mock_resource "google_artifact_registry_repository" {
  defaults = { id = "projects/demo-exports/locations/us-central1/repositories/video-export-functions" }
}

mock_resource "google_service_account" {
  defaults = {
    id     = "projects/demo-exports/serviceAccounts/account@demo-exports.iam.gserviceaccount.com"
    name   = "projects/demo-exports/serviceAccounts/account@demo-exports.iam.gserviceaccount.com"
    email  = "account@demo-exports.iam.gserviceaccount.com"
    member = "serviceAccount:account@demo-exports.iam.gserviceaccount.com"
  }
}

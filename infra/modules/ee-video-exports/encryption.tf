# With kms_key_name, everything that is stored is encrypted with your key. The key must be in the region of the stack and of the
# database. Each service uses it as its service agent.

locals {
  # Besides Pub/Sub, whose agent always exists, and Cloud Storage, whose agent has a data source.
  encrypting_services = [
    "artifactregistry.googleapis.com",
    "cloudfunctions.googleapis.com",
    "firestore.googleapis.com",
    "run.googleapis.com",
  ]
}

data "google_storage_project_service_account" "this" {
  count      = var.kms_key_name == null ? 0 : 1
  project    = var.project_id
  depends_on = [time_sleep.apis]
}

resource "google_kms_crypto_key_iam_member" "this" {
  for_each = var.kms_key_name == null ? {} : merge(
    { for service, identity in google_project_service_identity.this : service => identity.member },
    { "storage.googleapis.com" = data.google_storage_project_service_account.this[0].member },
  )
  crypto_key_id = var.kms_key_name
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = each.value
}

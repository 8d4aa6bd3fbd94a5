# The root module of this repository's deployment. To use the module in your own configuration, see README.md.

terraform {
  required_version = ">= 1.9.0, < 2.0.0"

  # Name the bucket when you initialize: terraform init -backend-config=bucket=NAME
  backend "gcs" {
    prefix = "ee-video-exports"
  }

  # Exact versions. The hashes of their archives are in .terraform.lock.hcl.
  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "6.50.0"
    }
    time = {
      source  = "hashicorp/time"
      version = "0.13.1"
    }
  }
}

provider "google" {
  project = var.project_id
  region  = var.region
}

module "exports" {
  source = "./modules/ee-video-exports"

  alerts                = var.alerts
  allowed_destinations  = var.allowed_destinations
  bundle_directory      = var.bundle_directory
  earth_engine_projects = var.earth_engine_projects
  event_subscribers     = var.event_subscribers
  export_buckets        = var.export_buckets
  firestore             = var.firestore
  hold_messages         = var.hold_messages
  indexed_labels        = var.indexed_labels
  instances             = var.instances
  kms_key_name          = var.kms_key_name
  labels                = var.labels
  operators             = var.operators
  page                  = var.page
  paused                = var.paused
  project_id            = var.project_id
  publishers            = var.publishers
  readers               = var.readers
  region                = var.region
  schedules             = var.schedules
  settings              = var.settings
  topics                = var.topics
  vpc                   = var.vpc
}

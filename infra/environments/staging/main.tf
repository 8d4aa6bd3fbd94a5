# Staging: the same module as production, in its own project, with small limits and no protection that costs money.

terraform {
  required_version = ">= 1.9.0, < 2.0.0"

  backend "gcs" {
    prefix = "ee-video-exports/staging"
  }

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

variable "project_id" {
  description = "The Google Cloud project of staging."
  type        = string
}

provider "google" {
  project = var.project_id
  region  = "us-central1"
}

module "exports" {
  source = "../../modules/ee-video-exports"

  project_id     = var.project_id
  labels         = { app = "ee-video-exports", environment = "staging" }
  export_buckets = { "${var.project_id}-videos" = { delete_after_days = 7 } }
  instances      = { submitExport = { max = 2 } }
  settings       = { max_active_operations = 50, retention_days = 31 }
}

output "first_job" {
  description = "A job that can write to the bucket of staging."
  value       = module.exports.first_job
}

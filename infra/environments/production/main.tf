# Production: the same module as staging, with a key of your own, backups, operators, and alerts.

terraform {
  required_version = ">= 1.9.0, < 2.0.0"

  backend "gcs" {
    prefix = "ee-video-exports/production"
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

variable "alert_channels" {
  description = "Ids of notification channels (projects/P/notificationChannels/N)."
  type        = set(string)
}

variable "kms_key_name" {
  description = "The key that encrypts everything that is stored."
  type        = string
}

variable "operators" {
  description = "IAM members that operate the service."
  type        = set(string)
}

variable "project_id" {
  description = "The Google Cloud project of production."
  type        = string
}

variable "runbook_url" {
  description = "The web address of infra/OPERATIONS.md in your repository."
  type        = string
}

provider "google" {
  project = var.project_id
  region  = "us-central1"
}

module "exports" {
  source = "../../modules/ee-video-exports"

  project_id     = var.project_id
  kms_key_name   = var.kms_key_name
  labels         = { app = "ee-video-exports", environment = "production" }
  export_buckets = { "${var.project_id}-videos" = {} }
  firestore      = { daily_backup_days = 7, weekly_backup_days = 98 }
  instances      = { submitExport = { min = 1 } }
  operators      = var.operators
  alerts         = { channels = var.alert_channels, runbook_url = var.runbook_url }
}

output "first_job" {
  description = "A job that can write to the bucket of production."
  value       = module.exports.first_job
}

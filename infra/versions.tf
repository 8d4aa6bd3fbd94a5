terraform {
  required_version = ">= 1.9.0, < 2.0.0"

  # Name the bucket when you initialize: terraform init -backend-config=bucket=NAME
  backend "gcs" {
    prefix = "ee-video-exports"
  }

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 6.50.0, < 8.0.0"
    }
  }
}

provider "google" {
  project = var.project_id
  region  = var.region
}

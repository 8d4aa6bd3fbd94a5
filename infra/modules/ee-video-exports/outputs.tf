output "dead_letter_subscription" {
  description = "The subscription that keeps dead letters until you replay or purge them."
  value       = google_pubsub_subscription.dead_letters.name
}

output "environment" {
  description = "Shell commands that configure the command line for this stack."
  value       = join("\n", [for name, value in local.environment : "export ${name}='${replace(value, "'", "'\\''")}'"])
}

locals {
  # gs://bucket/prefix* becomes the bucket, and a name that the pattern allows.
  _first_pattern = try([for pattern in local.destinations : trimprefix(pattern, "gs://") if startswith(pattern, "gs://")][0], null)
  _first_bucket  = try(trimsuffix(split("/", local._first_pattern)[0], "*"), null)
  _first_prefix  = try(trimprefix(trimprefix(replace(local._first_pattern, "/\\*$/", "first-video"), local._first_bucket), "/"), null)
  _example       = jsondecode(file("${path.module}/../../local/examples/las-vegas-growth.json"))
}

output "first_job" {
  description = "A job that can write to the first bucket of this stack, or null if jobs can write only to Drive."
  value = local._first_pattern == null ? null : jsonencode(merge(local._example, {
    jobKey = "first-video"
    request = merge(local._example.request, {
      fileExportOptions = merge(local._example.request.fileExportOptions, {
        cloudStorageDestination = { bucket = local._first_bucket, filenamePrefix = local._first_prefix }
      })
    })
  }))
}

output "functions" {
  description = "The URL of each function."
  value       = { for target, function in google_cloudfunctions2_function.this : target => function.service_config[0].uri }
}

output "grants" {
  description = "Commands that the owners of other projects' buckets must run, for the buckets with grant = false."
  value = flatten([
    for name, bucket in var.export_buckets : [
      for role in concat(["roles/storage.objectUser"], bucket.public ? ["roles/storage.legacyBucketOwner"] : []) :
      "gcloud storage buckets add-iam-policy-binding gs://${name} --member=${google_service_account.function["sender"].member} --role=${role}"
    ]
    if !bucket.grant
  ])
}

output "page" {
  description = "How its viewers open the page."
  value = (
    var.page.iap
    ? "Run once: gcloud beta run services update ${local.page_service} --project=${var.project_id} --region=${var.region} --iap. Then open ${google_cloudfunctions2_function.this["showExports"].service_config[0].uri}"
    : "gcloud run services proxy ${local.page_service} --project=${var.project_id} --region=${var.region}"
  )
}

output "project_id" {
  description = "The project, with its APIs enabled: resources that use this value wait for them."
  value       = var.project_id
  depends_on  = [time_sleep.apis]
}

output "project_roles" {
  description = "The roles that the module grants in its own project and in the Earth Engine projects: what an account that applies it has to be able to grant."
  value       = local.project_roles
}

output "publish" {
  description = "The command that publishes a job from a file."
  value       = "gcloud pubsub topics publish ${google_pubsub_topic.this["jobs"].name} --project=${var.project_id} --message=\"$(cat job.json)\""
  depends_on  = [google_pubsub_subscription.push]
}

output "records" {
  description = "The records, in the Google Cloud console."
  value       = "https://console.cloud.google.com/firestore/databases/${replace(local.database, "/[()]/", "-")}/data/panel/videoExports?project=${var.project_id}"
}

output "sender" {
  description = "The account that calls Earth Engine. Grant it read access to the private assets that jobs use."
  value       = google_service_account.function["sender"].email
}

output "service_accounts" {
  description = "The names of all service accounts that the module creates: an account that applies it must be able to act as them."
  value = merge(
    { for key, account in google_service_account.function : key => account.name },
    { builder = google_service_account.builder.name, invoker = google_service_account.invoker.name },
  )
}

output "topics" {
  description = "The ids of the topics, by purpose."
  value       = { for key, topic in google_pubsub_topic.this : key => topic.id }
}

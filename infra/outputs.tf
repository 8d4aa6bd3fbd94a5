output "dead_letter_subscription" {
  description = "Keeps dead messages until they are replayed."
  value       = google_pubsub_subscription.dead_letters.name
}

output "functions" {
  description = "Where each function answers, to those that may call it."
  value       = { for target, function in google_cloudfunctions2_function.this : target => function.service_config[0].uri }
}

output "publish" {
  description = "Publishes a job from a file."
  value       = "gcloud pubsub topics publish ${google_pubsub_topic.this["jobs"].name} --project=${var.project_id} --message=\"$(cat job.json)\""
  depends_on  = [google_pubsub_subscription.push]
}

output "records" {
  description = "The records, in the console."
  value       = "https://console.cloud.google.com/firestore/databases/${replace(local.database, "/[()]/", "-")}/data/panel/videoExports?project=${var.project_id}"
}

output "sender" {
  description = "The account that Earth Engine sees: give it read access to private assets that jobs use, and write access to other projects' buckets."
  value       = google_service_account.function["sender"].email
}

output "topics" {
  description = "Topic names, by what is published to them."
  value       = { for key, topic in google_pubsub_topic.this : key => topic.id }
}

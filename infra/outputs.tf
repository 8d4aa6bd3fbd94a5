output "dead_letter_subscription" {
  description = "The subscription that keeps dead letters until you replay or purge them."
  value       = google_pubsub_subscription.dead_letters.name
}

output "functions" {
  description = "The URL of each function."
  value       = { for target, function in google_cloudfunctions2_function.this : target => function.service_config[0].uri }
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
  description = "The account that calls Earth Engine. Grant it read access to the private assets that jobs use, and write access to buckets in other projects."
  value       = google_service_account.function["sender"].email
}

output "topics" {
  description = "The ids of the topics, by purpose."
  value       = { for key, topic in google_pubsub_topic.this : key => topic.id }
}

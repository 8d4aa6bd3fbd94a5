locals {
  # The topic that is pushed to each function. A dead letter that cannot be recorded must not become a dead letter again: it
  # is redelivered until it can be recorded, and the subscription below keeps it in any case.
  pushes = {
    submitExport     = { topic = "jobs", dead_letters = true }
    expandBatch      = { topic = "batches", dead_letters = true }
    cancelExports    = { topic = "cancellations", dead_letters = true }
    pollExports      = { topic = "polls", dead_letters = true }
    recordDeadLetter = { topic = "dead_letters", dead_letters = false }
  }
}

resource "google_pubsub_topic" "this" {
  for_each     = var.topics
  project      = var.project_id
  name         = each.value
  labels       = var.labels
  kms_key_name = var.kms_key_name
  depends_on   = [time_sleep.apis, time_sleep.encryption]
}

# Push subscriptions rather than Eventarc: Eventarc limits events to 512 KB, but a job can have 10 MB, and Terraform cannot set
# the deadline, backoff, and dead-letter policy of an Eventarc subscription.
resource "google_pubsub_subscription" "push" {
  for_each = local.pushes
  project  = var.project_id
  # infra/local uses the same name. A replay derives the topic of a dead letter from it.
  name   = "${var.topics[each.value.topic]}-push"
  topic  = google_pubsub_topic.this[each.value.topic].id
  labels = var.labels

  # Pub/Sub's maximum. It is above every function's timeout, so no message is redelivered while a function handles it.
  ack_deadline_seconds       = 600
  message_retention_duration = "604800s"

  # Without an endpoint, the subscription keeps its messages. Dead letters are recorded even then, and polls go on.
  dynamic "push_config" {
    for_each = var.hold_messages && each.value.dead_letters && each.key != "pollExports" ? [] : [google_cloudfunctions2_function.this[each.key].service_config[0].uri]
    content {
      push_endpoint = push_config.value

      oidc_token {
        service_account_email = google_service_account.invoker.email
        audience              = push_config.value
      }
    }
  }

  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }

  # 50 attempts with this backoff take about seven hours, so a shorter outage of Firestore creates no dead letters. (Invalid
  # messages are acknowledged immediately and do not get here.)
  dynamic "dead_letter_policy" {
    for_each = each.value.dead_letters ? [true] : []
    content {
      dead_letter_topic     = google_pubsub_topic.this["dead_letters"].id
      max_delivery_attempts = 50
    }
  }

  expiration_policy {
    ttl = ""
  }

  depends_on = [google_cloud_run_v2_service_iam_member.invoker]
}

# Keeps every dead letter in full until an operator replays or purges it. recordDeadLetter records only a summary.
resource "google_pubsub_subscription" "dead_letters" {
  project                    = var.project_id
  name                       = "${var.topics.dead_letters}-kept"
  topic                      = google_pubsub_topic.this["dead_letters"].id
  labels                     = var.labels
  ack_deadline_seconds       = 600
  message_retention_duration = "2678400s"

  expiration_policy {
    ttl = ""
  }
}

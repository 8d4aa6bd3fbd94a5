locals {
  # What is pushed to which function. A dead letter that cannot be recorded must not become its own dead letter: it is
  # delivered again until it can be, and the subscription below keeps it in any case.
  pushes = {
    submitExport     = { topic = "jobs", dead_letters = true }
    expandBatch      = { topic = "batches", dead_letters = true }
    cancelExports    = { topic = "cancellations", dead_letters = true }
    recordDeadLetter = { topic = "dead_letters", dead_letters = false }
  }
}

resource "google_pubsub_topic" "this" {
  for_each   = var.topics
  project    = var.project_id
  name       = each.value
  labels     = var.labels
  depends_on = [google_project_service.this]
}

# Pushed rather than through Eventarc, whose events end at 512 KB where a job may have 10 MB, and whose subscription's
# deadline, backoff and dead letters Terraform cannot set.
resource "google_pubsub_subscription" "push" {
  for_each = local.pushes
  project  = var.project_id
  # As infra/local names it; a replay finds a dead message's topic by it.
  name   = "${var.topics[each.value.topic]}-push"
  topic  = google_pubsub_topic.this[each.value.topic].id
  labels = var.labels

  # The longest there is, above every function's timeout: no message comes again while it is being handled.
  ack_deadline_seconds       = 600
  message_retention_duration = "604800s"

  push_config {
    push_endpoint = google_cloudfunctions2_function.this[each.key].service_config[0].uri

    oidc_token {
      service_account_email = google_service_account.invoker.email
      audience              = google_cloudfunctions2_function.this[each.key].service_config[0].uri
    }
  }

  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }

  # 50 attempts with that backoff are about seven hours: an outage of Firestore shorter than that kills no message. (One
  # that is wrong is acknowledged at once and never comes here.)
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

# Keeps every dead message, whole, until somebody replays or purges it: recordDeadLetter only writes down that it is there.
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

variable "alerts" {
  description = "The recipients of alerts, and the thresholds. channels are ids of notification channels (projects/P/notificationChannels/N), for example for Slack or PagerDuty. runbook_url is the web address of OPERATIONS.md in your repository; the alerts link to it."
  type = object({
    auto_close_after_minutes = optional(number, 1440)
    channels                 = optional(set(string), [])
    emails                   = optional(set(string), [])
    failed_per_hour          = optional(number, 20)
    oldest_waiting_hours     = optional(number, 24)
    poll_silent_minutes      = optional(number, 15)
    push_backlog_minutes     = optional(number, 30)
    rejected_per_hour        = optional(number, 20)
    renotify_interval_hours  = optional(number, 24)
    runbook_url              = optional(string)
  })
  default = {}

  validation {
    condition = (
      var.alerts.poll_silent_minutes >= 5 &&
      var.alerts.poll_silent_minutes <= 1410
    )
    error_message = "poll_silent_minutes must be between 5 (a run can take 4) and 1410 (Cloud Monitoring's limit for metric absence)."
  }

  validation {
    condition     = alltrue([for id in var.alerts.channels : can(regex("^projects/[^/]+/notificationChannels/[0-9]+$", id))])
    error_message = "A notification channel's id has the form projects/PROJECT/notificationChannels/NUMBER. Run: gcloud beta monitoring channels list --format='value(name)'"
  }

  validation {
    condition     = length(var.alerts.channels) + length(var.alerts.emails) == 0 || can(regex("^https://", var.alerts.runbook_url))
    error_message = "Alerts with recipients need runbook_url: the https:// address of infra/OPERATIONS.md in your repository."
  }
}

variable "allowed_destinations" {
  description = "The destinations that jobs can write to, as gs://bucket/prefix* or drive:* patterns. Default: anywhere in export_buckets. A service account has no Drive storage of its own, so with drive:*, jobs need a folder of a shared drive that is shared with it."
  type        = list(string)
  default     = null
}

variable "bundle_directory" {
  description = "The directory that contains the zip file of each function. Default: build/deploy of this repository, where `npm run build` creates them."
  type        = string
  default     = null
}

variable "earth_engine_projects" {
  description = "The Earth Engine projects that jobs can use. The first is the default for jobs that name no project. Each must be registered for Earth Engine. Default: only project_id."
  type        = list(string)
  default     = []

  validation {
    condition     = length(distinct(var.earth_engine_projects)) == length(var.earth_engine_projects)
    error_message = "earth_engine_projects lists a project twice."
  }
}

variable "event_subscribers" {
  description = "IAM members that can attach subscriptions to the event topic, such as group:maps@example.com."
  type        = set(string)
  default     = []
}

variable "export_buckets" {
  description = "Buckets for the videos, by name. The service can write only to these buckets. A bucket is created unless `create` is false. If you cannot change the access to a bucket of another project, also set `grant` to false; `terraform output grants` prints the command for its owner. With `public`, jobs can set `permissions` to PUBLIC, which makes their videos readable for everyone; the bucket then has no uniform access."
  type = map(object({
    create            = optional(bool, true)
    delete_after_days = optional(number)
    grant             = optional(bool, true)
    location          = optional(string)
    public            = optional(bool, false)
  }))
  default = {}

  validation {
    condition     = alltrue([for bucket in var.export_buckets : bucket.grant || !bucket.create])
    error_message = "`grant` can be false only for a bucket with `create = false`."
  }
}

variable "firestore" {
  description = "The Firestore database. You cannot change its location later. If the database exists already, set `create` to false: its rules, its protection, and its backups then stay as they are. Backups are in addition to point-in-time recovery; daily ones can be kept for up to 98 days, weekly ones too."
  type = object({
    create             = optional(bool, true)
    daily_backup_days  = optional(number)
    database           = optional(string, "(default)")
    location           = optional(string)
    weekly_backup_days = optional(number)
  })
  default = {}

  validation {
    condition     = var.firestore.create || (var.firestore.daily_backup_days == null && var.firestore.weekly_backup_days == null)
    error_message = "Backups are scheduled only for a database with `create = true`."
  }

  validation {
    condition = alltrue([
      for days in [var.firestore.daily_backup_days, var.firestore.weekly_backup_days] :
      days == null ? true : days >= 1 && days <= 98
    ])
    error_message = "Firestore keeps a backup for 1 to 98 days."
  }
}

variable "hold_messages" {
  description = "Keeps new messages in their subscriptions, for up to 7 days, instead of delivering them. Records and running exports are not affected."
  type        = bool
  default     = false
}

variable "indexed_labels" {
  description = "The label keys by which you list records, newest first. Each key needs one of Firestore's 200 composite indexes."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for key in var.indexed_labels : can(regex("^[a-z][a-z0-9_-]{0,62}$", key))])
    error_message = "A label key starts with a lowercase letter and has up to 63 characters: a-z, 0-9, _, and -."
  }
}

variable "instances" {
  description = "The minimum and maximum number of instances, by function. Earth Engine accepts 100 requests per second and project, so more instances of submitExport do not start jobs faster."
  type = map(object({
    max = optional(number)
    min = optional(number)
  }))
  default = {}

  validation {
    condition = alltrue([
      for target in keys(var.instances) : contains(
        ["submitExport", "pollExports", "expandBatch", "cancelExports", "recordDeadLetter", "showExports"],
        target
      )
    ])
    error_message = "The functions are submitExport, pollExports, expandBatch, cancelExports, recordDeadLetter, and showExports."
  }
}

variable "kms_key_name" {
  description = "Encrypts the database, topics, buckets, images, and functions with this key (projects/P/locations/L/keyRings/R/cryptoKeys/K). The key must be in the region of the stack. You cannot change the key of a database later."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_name == null || can(regex("^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$", var.kms_key_name))
    error_message = "A key's name has the form projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY."
  }

  validation {
    condition     = var.kms_key_name == null || try(split("/", var.kms_key_name)[3] == var.region, false)
    error_message = "The key must be in the region of the stack."
  }
}

variable "labels" {
  description = "Labels for all resources that support labels."
  type        = map(string)
  default     = { app = "ee-video-exports" }
}

variable "operators" {
  description = "IAM members that can replay dead letters, retry and cancel jobs, change stored settings, run the schedules, and read logs and metrics."
  type        = set(string)
  default     = []
}

variable "page" {
  description = "Who can look at the page, as IAM members. They open it through `gcloud run services proxy`, or, with `iap`, after they sign in at Identity-Aware Proxy. `terraform output page` prints how."
  type = object({
    iap     = optional(bool, false)
    viewers = optional(set(string), [])
  })
  default = {}

  validation {
    condition     = length(setintersection(var.page.viewers, ["allUsers", "allAuthenticatedUsers"])) == 0
    error_message = "The page is never public. Name people, groups, or a domain."
  }
}

variable "paused" {
  description = "Stops the poller and the schedules. Messages are still received; see OPERATIONS.md, which also describes how a pause survives the next deployment."
  type        = bool
  default     = false
}

variable "project_id" {
  description = "The Google Cloud project of the stack. Use one project per environment."
  type        = string
  nullable    = false
}

variable "publishers" {
  description = "IAM members that can publish jobs, batches, and cancellations."
  type = object({
    batches       = optional(set(string), [])
    cancellations = optional(set(string), [])
    jobs          = optional(set(string), [])
  })
  default = {}
}

variable "readers" {
  description = "IAM members that can read the records in Firestore."
  type        = set(string)
  default     = []
}

variable "region" {
  description = "The region of the functions, the build, and the schedules."
  type        = string
  default     = "us-central1"
}

variable "schedules" {
  description = "Scheduled batches, by name: a cron expression and the path of the manifest, relative to this folder. Cloud Scheduler limits a manifest to 1 MB in base64."
  type = map(object({
    cron      = string
    manifest  = string
    paused    = optional(bool, false)
    time_zone = optional(string, "Etc/UTC")
  }))
  default = {}

  validation {
    condition     = alltrue([for name in keys(var.schedules) : can(regex("^[a-z][a-z0-9-]{0,62}$", name))])
    error_message = "The name of a schedule starts with a lowercase letter and has up to 63 characters: a-z, 0-9, and -."
  }
}

variable "settings" {
  description = "The settings of the service; see README.md. The name of each duration contains its unit."
  type = object({
    delivery_wait_seconds           = optional(number, 3600)
    earthengine_api_url             = optional(string, "https://earthengine.googleapis.com")
    earthengine_requests_per_second = optional(number, 100)
    max_active_operations           = optional(number, 2700)
    poll_budget_seconds             = optional(number, 240)
    poll_max_seconds                = optional(number, 3600)
    poll_min_seconds                = optional(number, 60)
    retention_days                  = optional(number, 90)
    retry_max_seconds               = optional(number, 900)
    retry_min_seconds               = optional(number, 30)
    stalled_hours                   = optional(number, 24)
    submit_deadline_hours           = optional(number, 72)
    submit_lease_seconds            = optional(number, 120)
    submit_timeout_seconds          = optional(number, 60)
    verify_delivery                 = optional(string, "on")
    video_check                     = optional(string, "reject")
  })
  default = {}

  validation {
    condition     = contains(["reject", "warn", "off"], var.settings.video_check)
    error_message = "video_check must be reject, warn, or off."
  }

  validation {
    condition     = var.settings.submit_timeout_seconds < var.settings.submit_lease_seconds
    error_message = "submit_timeout_seconds must be less than submit_lease_seconds, because otherwise two senders could overlap."
  }

  validation {
    condition     = contains(["on", "off"], var.settings.verify_delivery)
    error_message = "verify_delivery must be on or off."
  }

  # Until then, Pub/Sub can deliver or replay a message whose job would otherwise run twice.
  validation {
    condition     = var.settings.retention_days >= 31
    error_message = "retention_days must be at least 31: Pub/Sub can replay dead letters for 31 days."
  }

  # A delivery must end before Pub/Sub's maximum acknowledgement deadline of 600 s.
  validation {
    condition     = var.settings.submit_lease_seconds <= 540
    error_message = "submit_lease_seconds must be at most 540: the function must end before Pub/Sub redelivers the message."
  }

  # Cloud Scheduler waits at most 30 minutes, and a run ends at most one minute after its budget is used up.
  validation {
    condition     = var.settings.poll_budget_seconds <= 1680
    error_message = "poll_budget_seconds must be at most 1680: Cloud Scheduler waits for at most 30 minutes."
  }

  validation {
    condition = (
      var.settings.retry_min_seconds <= var.settings.retry_max_seconds &&
      var.settings.poll_min_seconds <= var.settings.poll_max_seconds
    )
    error_message = "retry_min_seconds must not exceed retry_max_seconds, and poll_min_seconds must not exceed poll_max_seconds."
  }
}

variable "topics" {
  description = "The names of the topics."
  type = object({
    batches       = optional(string, "video-export-batches")
    cancellations = optional(string, "video-export-cancellations")
    dead_letters  = optional(string, "video-export-dead-letters")
    events        = optional(string, "video-export-events")
    jobs          = optional(string, "video-export-jobs")
    polls         = optional(string, "video-export-polls")
  })
  default = {}
}

variable "vpc" {
  description = "Sends the functions' outgoing requests through a Serverless VPC Access connector (projects/P/locations/L/connectors/C): only those to private addresses, or, with egress = \"ALL_TRAFFIC\", all of them."
  type = object({
    connector = string
    egress    = optional(string, "PRIVATE_RANGES_ONLY")
  })
  default = null

  validation {
    condition     = var.vpc == null || contains(["ALL_TRAFFIC", "PRIVATE_RANGES_ONLY"], try(var.vpc.egress, ""))
    error_message = "egress must be ALL_TRAFFIC or PRIVATE_RANGES_ONLY."
  }
}

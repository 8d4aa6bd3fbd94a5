variable "alerts" {
  description = "Who is told, and from when on. An hour of a full queue is normal; a day may not be."
  type = object({
    emails                   = optional(set(string), [])
    oldest_waiting_hours     = optional(number, 24)
    poll_silent_minutes      = optional(number, 15)
    push_backlog_minutes     = optional(number, 30)
    rejected_per_hour        = optional(number, 20)
    renotify_interval_hours  = optional(number, 24)
    auto_close_after_minutes = optional(number, 1440)
  })
  default = {}

  validation {
    condition = (
      var.alerts.poll_silent_minutes >= 5 &&
      var.alerts.poll_silent_minutes <= 1410
    )
    error_message = "poll_silent_minutes must be between 5 (a run may take 4) and 1410 (Cloud Monitoring's limit for absence)."
  }
}

variable "allowed_destinations" {
  description = "Where jobs may write, as patterns of gs://bucket/prefix* or drive:*. Default: anywhere in export_buckets. A service account's Drive is invisible to people: list drive:* only if you mean it."
  type        = list(string)
  default     = null
}

variable "bundle_directory" {
  description = "Where `npm run build` put one zip per function."
  type        = string
  default     = "../build/deploy"
}

variable "deployer" {
  description = "Lets Cloud Build deploy this stack as an account of its own: the bucket with Terraform's state and, to deploy on every push, a Cloud Build repository resource (projects/P/locations/L/connections/C/repositories/R) and branch."
  type = object({
    state_bucket = string
    repository   = optional(string)
    branch       = optional(string, "^main$")
  })
  default = null
}

variable "earth_engine_projects" {
  description = "The Earth Engine projects that jobs may name; the first is the default for jobs that name none. Each must be registered. Default: project_id alone."
  type        = list(string)
  default     = []

  validation {
    condition     = length(distinct(var.earth_engine_projects)) == length(var.earth_engine_projects)
    error_message = "A project is listed twice."
  }
}

variable "event_subscribers" {
  description = "IAM members that may attach subscriptions to the event topic, such as group:maps@example.com."
  type        = set(string)
  default     = []
}

variable "export_buckets" {
  description = "Buckets for the videos, by name: made here unless `create` is false. Nothing else can be written to."
  type = map(object({
    create            = optional(bool, true)
    delete_after_days = optional(number)
    location          = optional(string)
  }))
  default = {}
}

variable "firestore" {
  description = "The database. Its location cannot be changed later. `create` is false where the project has it already."
  type = object({
    create   = optional(bool, true)
    database = optional(string, "(default)")
    location = optional(string)
  })
  default = {}
}

variable "indexed_labels" {
  description = "Label keys by which records are listed newest first: each costs one composite index (Firestore has 200)."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for key in var.indexed_labels : can(regex("^[a-z][a-z0-9_-]{0,62}$", key))])
    error_message = "A label key is a letter and up to 62 of a-z, 0-9, _ and -."
  }
}

variable "instances" {
  description = "How many instances of a function run at least and at most, by target. More submitExport instances start jobs no faster than Earth Engine's 100 requests per second and project."
  type = map(object({
    max = optional(number)
    min = optional(number)
  }))
  default = {}

  validation {
    condition = alltrue([
      for target in keys(var.instances) : contains(
        ["submitExport", "pollExports", "expandBatch", "cancelExports", "recordDeadLetter"],
        target
      )
    ])
    error_message = "The targets are submitExport, pollExports, expandBatch, cancelExports and recordDeadLetter."
  }
}

variable "labels" {
  description = "Labels on everything that has labels."
  type        = map(string)
  default     = { app = "ee-video-exports" }
}

variable "paused" {
  description = "Stops the poller and the schedules. Messages still come in and wait; see OPERATIONS.md."
  type        = bool
  default     = false
}

variable "project_id" {
  description = "The Google Cloud project that holds everything of this stack. One project per environment."
  type        = string
  nullable    = false
}

variable "publishers" {
  description = "IAM members that may publish, by what: jobs, batches, cancellations."
  type = object({
    batches       = optional(set(string), [])
    cancellations = optional(set(string), [])
    jobs          = optional(set(string), [])
  })
  default = {}
}

variable "readers" {
  description = "IAM members that may look results up in Firestore."
  type        = set(string)
  default     = []
}

variable "region" {
  description = "Where the functions, the build and the schedules are."
  type        = string
  default     = "us-central1"
}

variable "schedules" {
  description = "Batches that run by themselves, by name: a cron expression and the manifest's path, relative to this folder. A manifest may be at most 1 MB as Cloud Scheduler counts it, in base64."
  type = map(object({
    cron      = string
    manifest  = string
    paused    = optional(bool, false)
    time_zone = optional(string, "Etc/UTC")
  }))
  default = {}

  validation {
    condition     = alltrue([for name in keys(var.schedules) : can(regex("^[a-z][a-z0-9-]{0,62}$", name))])
    error_message = "A schedule's name is a letter and up to 62 of a-z, 0-9 and -."
  }
}

variable "settings" {
  description = "The service's own settings, as README explains them. Durations are in the unit that the name says."
  type = object({
    earthengine_api_url    = optional(string, "https://earthengine.googleapis.com")
    max_active_operations  = optional(number, 2700)
    poll_budget_seconds    = optional(number, 240)
    poll_max_seconds       = optional(number, 3600)
    poll_min_seconds       = optional(number, 60)
    retention_days         = optional(number, 90)
    retry_max_seconds      = optional(number, 900)
    retry_min_seconds      = optional(number, 30)
    stalled_hours          = optional(number, 24)
    submit_deadline_hours  = optional(number, 72)
    submit_lease_seconds   = optional(number, 120)
    submit_timeout_seconds = optional(number, 60)
  })
  default = {}

  validation {
    condition     = var.settings.submit_timeout_seconds < var.settings.submit_lease_seconds
    error_message = "submit_timeout_seconds must be less than submit_lease_seconds, or two senders could overlap."
  }

  # 600 s is Pub/Sub's longest acknowledgement deadline; a delivery must have ended before it.
  validation {
    condition     = var.settings.submit_lease_seconds <= 540
    error_message = "submit_lease_seconds may be at most 540: the function must end before Pub/Sub delivers again."
  }

  # Cloud Scheduler waits 30 minutes at most, and a run ends a minute after its budget at the latest.
  validation {
    condition     = var.settings.poll_budget_seconds <= 1680
    error_message = "poll_budget_seconds may be at most 1680: Cloud Scheduler waits for 30 minutes."
  }

  validation {
    condition = (
      var.settings.retry_min_seconds <= var.settings.retry_max_seconds &&
      var.settings.poll_min_seconds <= var.settings.poll_max_seconds
    )
    error_message = "A minimum is above its maximum."
  }
}

variable "topics" {
  description = "Topic names."
  type = object({
    batches       = optional(string, "video-export-batches")
    cancellations = optional(string, "video-export-cancellations")
    dead_letters  = optional(string, "video-export-dead-letters")
    events        = optional(string, "video-export-events")
    jobs          = optional(string, "video-export-jobs")
  })
  default = {}
}

locals {
  # By collection: one composite index for each query of shared/store/queries.ts that needs more than Firestore's automatic
  # indexes. Fields are ascending by default, and `contains` means a list. test/infra compares this list with the queries.
  composites = {
    videoExports = {
      also-attempt        = ["alsoBatches contains", "attempt"]
      also-delivery       = ["alsoBatches contains", "delivery.state"]
      also-newest         = ["alsoBatches contains", "createdAt desc"]
      also-retries        = ["alsoBatches contains", "retryOf"]
      also-state          = ["alsoBatches contains", "state"]
      batch-attempt       = ["batchId", "attempt"]
      batch-delivery      = ["batchId", "delivery.state"]
      batch-created       = ["batchId", "createdAt"]
      batch-retries       = ["batchId", "retryOf"]
      batch-eecu          = ["batchId", "state", "eecuSeconds"]
      batch-lower-bounds  = ["batchId", "eecuIsLowerBound", "eecuSeconds"]
      batch-newest        = ["batchId", "createdAt desc"]
      batch-state         = ["batchId", "state"]
      batch-state-created = ["batchId", "state", "createdAt"]
      batch-ended-eecu    = ["batchId", "finishedAt", "eecuSeconds"]
      budget-held         = ["heldBy", "priority desc", "createdAt"]
      delivery-finished   = ["delivery.state", "finishedAt desc"]
      destination-newest  = ["destination", "createdAt desc"]
      ended-eecu          = ["finishedAt", "eecuSeconds"]
      destination-state   = ["destination", "state"]
      finished-eecu       = ["finishedAt desc", "eecuSeconds"]
      lower-bounds        = ["eecuIsLowerBound", "eecuSeconds"]
      project-batch-ended = ["project", "batchId", "finishedAt", "eecuSeconds"]
      project-due         = ["project", "state", "dueAt"]
      project-due-waiting = ["project", "state", "waitingFor", "dueAt"]
      project-queue       = ["project", "state", "waitingFor", "priority desc", "createdAt"]
      project-ended-eecu  = ["project", "finishedAt", "eecuSeconds"]
      project-state       = ["project", "state"]
      project-state-batch = ["project", "state", "batchId"]
      project-state-cost  = ["project", "state", "batchId", "eecuSeconds"]
      project-state-eecu  = ["project", "state", "eecuSeconds"]
      project-unanswered  = ["project", "unanswered"]
      shape-finished      = ["shapeHash", "state", "finishedAt desc"]
      state-batch         = ["state", "batchId"]
      state-batch-eecu    = ["state", "batchId", "eecuSeconds"]
      state-created       = ["state", "createdAt"]
      state-due           = ["state", "dueAt"]
      state-eecu          = ["state", "eecuSeconds"]
      state-finished      = ["state", "finishedAt desc"]
      state-limit         = ["state", "maxEecuHours"]
      state-moved         = ["state", "movedAt"]
      state-newest        = ["state", "createdAt desc"]
      state-project       = ["state", "project"]
      state-waiting-age   = ["state", "waitingFor", "createdAt"]
      state-waiting-due   = ["state", "waitingFor", "dueAt"]
    }
  }
  indexes = merge(
    merge([
      for collection, indexes in local.composites : {
        for name, fields in indexes :
        "${collection}/${name}" => { collection = collection, fields = fields }
      }
    ]...),
    # Quoted only if Firestore quotes it too. Otherwise, every plan would show a change.
    {
      for label in var.indexed_labels : "videoExports/label-${label}" => {
        collection = "videoExports"
        fields     = [can(regex("-", label)) ? "labels.`${label}`" : "labels.${label}", "createdAt desc"]
      }
    },
    {
      for index in setproduct(var.indexed_labels, keys(local._label_indexes)) :
      "videoExports/label-${index[0]}-${index[1]}" => {
        collection = "videoExports"
        fields     = concat([can(regex("-", index[0])) ? "labels.`${index[0]}`" : "labels.${index[0]}"], local._label_indexes[index[1]])
      }
    },
  )
  # What a budget of a label sums and cancels.
  _label_indexes = {
    batch-ended = ["batchId", "finishedAt", "eecuSeconds"]
    ended       = ["finishedAt", "eecuSeconds"]
    state       = ["state", "eecuSeconds"]
    state-batch = ["state", "batchId"]
    state-cost  = ["state", "batchId", "eecuSeconds"]
  }

  # TTL and index exemptions apply to every collection with that name in the database. Another app's `request`,
  # `rejectedMessages`, or `exportBudgetStatus` must not lose documents or indexes: in a database that this stack does not create,
  # those three are left alone.
  shareable_names = var.firestore.create ? ["request", "rejectedMessages", "exportBudgetStatus"] : []
  own_collections = toset(concat(["videoExports", "videoExportBatches", "videoExportSweeps", "videoExportLists"], local.shareable_names))

  # Collection groups whose documents have expireAt. No query uses this field, and an index of ever-growing times would limit
  # the write rate.
  expiring = setintersection(local.own_collections, ["videoExports", "request", "rejectedMessages", "videoExportBatches"])

  # Fields that are large or that no query uses. Without the exemption, each write updates one index entry for each item of a
  # list or map. The index truncates values above 1,500 bytes anyway.
  unindexed = { for collection, fields in local.large_fields : collection => fields if contains(local.own_collections, collection) }
  large_fields = {
    videoExports       = ["claim", "deliverTo", "deliveredTo", "description", "error", "extent", "extraOperations", "findings", "history", "missing", "outputUris", "requestedVideo", "searches"]
    request            = ["data"]
    rejectedMessages   = ["attributes", "data", "issues"]
    videoExportBatches = ["counts"]
    videoExportSweeps  = ["known"]
    videoExportLists   = ["shown"]
    exportBudgetStatus = ["budgets", "unpublishedEvents"]
  }
  _unindexed = merge([
    for collection, fields in local.unindexed : {
      for field in fields : "${collection}/${field}" => { collection = collection, field = field }
    }
  ]...)
  database = (
    var.firestore.create
    ? google_firestore_database.this[0].name
    : var.firestore.database
  )
}

resource "google_firestore_database" "this" {
  count                             = var.firestore.create ? 1 : 0
  project                           = var.project_id
  name                              = var.firestore.database
  location_id                       = local.location
  type                              = "FIRESTORE_NATIVE"
  concurrency_mode                  = "PESSIMISTIC"
  delete_protection_state           = "DELETE_PROTECTION_ENABLED"
  point_in_time_recovery_enablement = "POINT_IN_TIME_RECOVERY_ENABLED"
  # `terraform destroy` keeps the records.
  deletion_policy = "ABANDON"

  dynamic "cmek_config" {
    for_each = var.kms_key_name[*]
    content {
      kms_key_name = cmek_config.value
    }
  }

  depends_on = [time_sleep.apis, time_sleep.encryption]
}

resource "google_firestore_backup_schedule" "daily" {
  count     = var.firestore.daily_backup_days == null ? 0 : 1
  project   = var.project_id
  database  = local.database
  retention = "${var.firestore.daily_backup_days * 86400}s"

  daily_recurrence {}
}

resource "google_firestore_backup_schedule" "weekly" {
  count     = var.firestore.weekly_backup_days == null ? 0 : 1
  project   = var.project_id
  database  = local.database
  retention = "${var.firestore.weekly_backup_days * 86400}s"

  weekly_recurrence {
    day = "SUNDAY"
  }
}

# Rules, only for a database of this stack: in another database, they would replace those of its apps.

resource "google_firebaserules_ruleset" "this" {
  count   = var.firestore.create ? 1 : 0
  project = var.project_id

  source {
    files {
      name    = "firestore.rules"
      content = file("${path.module}/firestore.rules")
    }
  }

  # The release refers to the old ruleset until it is updated.
  lifecycle {
    create_before_destroy = true
  }

  depends_on = [time_sleep.apis]
}

resource "google_firebaserules_release" "this" {
  count        = var.firestore.create ? 1 : 0
  project      = var.project_id
  name         = local.database == "(default)" ? "cloud.firestore" : "cloud.firestore/${local.database}"
  ruleset_name = "projects/${var.project_id}/rulesets/${google_firebaserules_ruleset.this[0].name}"
}

resource "google_firestore_index" "this" {
  for_each   = local.indexes
  project    = var.project_id
  database   = local.database
  collection = each.value.collection

  dynamic "fields" {
    for_each = each.value.fields
    content {
      field_path   = split(" ", fields.value)[0]
      array_config = endswith(fields.value, " contains") ? "CONTAINS" : null
      order        = endswith(fields.value, " contains") ? null : endswith(fields.value, " desc") ? "DESCENDING" : "ASCENDING"
    }
  }
}

resource "google_firestore_field" "expire_at" {
  for_each   = local.expiring
  project    = var.project_id
  database   = local.database
  collection = each.key
  field      = "expireAt"

  ttl_config {}

  index_config {}
}

resource "google_firestore_field" "unindexed" {
  for_each   = local._unindexed
  project    = var.project_id
  database   = local.database
  collection = each.value.collection
  field      = each.value.field

  index_config {}
}

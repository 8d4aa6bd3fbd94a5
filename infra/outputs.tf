output "dead_letter_subscription" {
  description = "The subscription that keeps dead letters until you replay or purge them."
  value       = module.exports.dead_letter_subscription
}

output "environment" {
  description = "Shell commands that configure the command line for this stack: eval \"$(terraform -chdir=infra output -raw environment)\""
  value       = module.exports.environment
}

output "first_job" {
  description = "A job that can write to the first destination of this stack."
  value       = module.exports.first_job
}

output "functions" {
  description = "The URL of each function."
  value       = module.exports.functions
}

output "grants" {
  description = "Commands that the owners of other projects' buckets must run."
  value       = module.exports.grants
}

output "next_steps" {
  description = "The commands that submit the first job and watch it."
  value       = <<-EOT
    eval "$(terraform -chdir=infra output -raw environment)"
    terraform -chdir=infra output -raw first_job > first-job.json
    npx ee-video-exports submit first-job.json --watch
  EOT
}

output "publish" {
  description = "The command that publishes a job from a file."
  value       = module.exports.publish
}

output "records" {
  description = "The records, in the Google Cloud console."
  value       = module.exports.records
}

output "sender" {
  description = "The account that calls Earth Engine. Grant it read access to the private assets that jobs use."
  value       = module.exports.sender
}

output "topics" {
  description = "The ids of the topics, by purpose."
  value       = module.exports.topics
}

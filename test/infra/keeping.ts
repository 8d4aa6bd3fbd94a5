import { SECOND_MS } from '../../shared/clock.ts';
import { ON_THE_WAY_MS } from '../../shared/model/batch.ts';
import { at, type Stack } from './stack.ts';

/** What the stack must keep: messages until they are handled, and records and videos when it is destroyed. */

/** 50 attempts with the backoff of pubsub.tf take about seven hours. Fewer would make dead letters of a short outage. */
const MIN_DELIVERY_ATTEMPTS = 50;

export function keepingProblems({ resources }: Stack): string[] {
  const push = resources['google_pubsub_subscription.push'];
  const kept = resources['google_pubsub_subscription.dead_letters'];
  const policy = at(push, 'dynamic', 'dead_letter_policy', 0, 'content', 0);
  const problems: string[] = [];
  // Batches wait this long for a late job (`ON_THE_WAY_MS`).
  if (at(push, 'message_retention_duration') !== `${ON_THE_WAY_MS / SECOND_MS}s`) {
    problems.push('messages are not kept for as long as the code waits for them');
  }
  if (!(Number(at(policy, 'max_delivery_attempts')) >= MIN_DELIVERY_ATTEMPTS)) {
    problems.push('an outage of an hour makes dead letters');
  }
  for (const [name, subscription] of Object.entries({ push, dead_letters: kept })) {
    // Otherwise, Pub/Sub deletes a subscription without activity after 31 days.
    if (at(subscription, 'expiration_policy', 0, 'ttl') !== '') {
      problems.push(`the subscription ${name} expires`);
    }
  }
  const deadline = String(at(resources, 'google_cloud_scheduler_job.poll', 'attempt_deadline'));
  if (!/^\$\{local\.functions\.pollExports\.timeout_seconds \+ \d+\}s$/.test(deadline)) {
    problems.push('Cloud Scheduler counts a long poll as failed');
  }
  if (at(resources, 'google_firestore_database.this', 'deletion_policy') !== 'ABANDON') {
    problems.push('terraform destroy deletes the records');
  }
  if (at(resources, 'google_storage_bucket.exports', 'force_destroy') !== false) {
    problems.push('terraform destroy deletes the videos');
  }
  return problems;
}

/** The topics that the code of each account publishes to. */
const published: Readonly<Record<string, readonly string[]>> = {
  sender: ['events', 'dead_letters', 'polls'],
  expandBatch: ['jobs', 'events', 'dead_letters'],
  cancelExports: ['events', 'dead_letters'],
  recordDeadLetter: [],
};

export function publishingProblems({ locals }: Stack): string[] {
  const granted = at(locals, 'publishes_to') as Readonly<Record<string, readonly string[]>>;
  const accounts = new Set([...Object.keys(granted), ...Object.keys(published)]);
  return [...accounts]
    .filter((account) => String(granted[account]) !== String(published[account]))
    .map((account) => `${account} can publish to ${String(granted[account])}`);
}

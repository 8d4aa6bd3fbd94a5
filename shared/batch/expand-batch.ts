import pMap from 'p-map';

import { later, MINUTE_MS } from '../clock.ts';
import { ServiceError, StaleWriteError } from '../errors.ts';
import { type Envelope, readJsonData } from '../message/envelope.ts';
import { jobRules, type JobRules } from '../message/job-message.ts';
import type { Issue } from '../model/rejected-message.ts';
import { rejectMessage } from '../message/rejection.ts';
import type { OutgoingMessage } from '../publisher.ts';
import type { ExportRecord } from '../model/record.ts';
import { isOfBatch, withBatch } from '../record/batches.ts';
import { updateRecord } from '../records.ts';
import type { Services } from '../services.ts';
import { type Found, isReadable, type Stored } from '../store/store.ts';
import type { Batch } from '../model/batch.ts';
import { changeBatch, readBatch, releaseBatch } from './change-batch.ts';
import { checkExpansion } from './check-expansion.ts';
import { createExpansion, type Expansion } from './expansion.ts';
import { contentHashOfJob, recordIdOfJob } from './job-rules.ts';
import { readManifest } from './manifest.ts';

/** Turns a manifest into job messages. Each is published once, unless a process crashes or a call fails. */

/** The function has 540 s. If that is not enough, the message is redelivered and continues where this delivery stopped. */
const BUDGET_MS = 8 * MINUTE_MS;
/** No job is published before all are checked, and a check cannot be resumed. */
const CHECK_MS = 4 * MINUTE_MS;
/** The lease is renewed with every chunk. A redelivery of the same message does not wait until it ends. */
const LEASE_MS = MINUTE_MS;
const PUBLISH_TIMEOUT_MS = 30_000;

/** A chunk is published before its progress is written, so after a crash, at most one chunk is published twice. */
const CHUNK_JOBS = 500;
const CHUNK_BYTES = 8_000_000;
const WRITES_AT_ONCE = 16;

const SOURCE = 'expandBatch';

export type Expanded =
  | { readonly outcome: 'REJECTED_MESSAGE'; readonly reason: string; readonly issues: readonly Issue[] }
  /** All jobs are published. */
  | { readonly outcome: 'PUBLISHED'; readonly batchId: string; readonly jobs: number }
  /** This run was expanded before: there is nothing to do. */
  | { readonly outcome: 'DUPLICATE'; readonly batchId: string }
  /** It was canceled: the remaining jobs are not published. */
  | { readonly outcome: 'CANCELLED'; readonly batchId: string };

/**
 * Handles one delivery of a manifest. When it resolves, the message may be acknowledged.
 *
 * @throws if the message must be redelivered: another delivery is expanding the batch (BATCH_BUSY), the time ran out
 * (BATCH_UNFINISHED), a topic or the store failed. The next delivery continues where this one stopped.
 */
export async function expandBatch(services: Services, envelope: Envelope): Promise<Expanded> {
  const deadline = later(services.clock.now(), BUDGET_MS);
  const data = readJsonData(envelope);
  if ('issues' in data) {
    return reject(services, envelope, 'INVALID_DATA', data.issues);
  }
  const reading = readManifest(data.json, envelope.publishTime);
  if ('issues' in reading) {
    return reject(services, envelope, 'INVALID_MANIFEST', reading.issues);
  }
  const { manifest } = reading;

  const known = await readBatch(services, manifest.id);
  const conclusion = known && conclusionOf(known.value, manifest.hash);
  if (conclusion === 'OTHER') {
    return reject(services, envelope, 'CONFLICT', [otherManifest(manifest.id)]);
  }
  if (conclusion) {
    return { outcome: conclusion, batchId: manifest.id };
  }

  const expansion = createExpansion(manifest);
  if ('issues' in expansion) {
    return reject(services, envelope, 'INVALID_MANIFEST', expansion.issues);
  }
  const rules = jobRules(services.config);
  if (!known) {
    // An existing batch was checked when it was created.
    const checkedBy = later(services.clock.now(), CHECK_MS);
    const issues = await checkExpansion(expansion, rules, () => services.clock.now() >= checkedBy);
    if (issues.length > 0) {
      return reject(services, envelope, 'INVALID_MANIFEST', issues);
    }
  }
  const claimed = await claimBatch(services, expansion, envelope.messageId);
  if ('concluded' in claimed) {
    return claimed.concluded === 'OTHER'
      ? reject(services, envelope, 'CONFLICT', [otherManifest(manifest.id)])
      : { outcome: claimed.concluded, batchId: manifest.id };
  }
  const { publishTime } = envelope;
  return publishJobs(services, { expansion, rules, deadline, publishTime, ...claimed });
}

async function reject(
  services: Services,
  envelope: Envelope,
  reason: string,
  issues: readonly Issue[],
): Promise<Expanded> {
  // Without batchId: a manifest is not a job of the batch, and must not count as one.
  await rejectMessage(services, envelope, { reason, issues, source: SOURCE });
  return { outcome: 'REJECTED_MESSAGE', reason, issues };
}

const otherManifest = (id: string): Issue => ({
  path: 'run',
  message: `${id} was created from another manifest; give this one another run or another batchId`,
});

type Conclusion = 'DUPLICATE' | 'CANCELLED' | 'OTHER';

/** What an existing batch means for this manifest; undefined if it must still be expanded. */
function conclusionOf(batch: Batch, manifestHash: string): Conclusion | undefined {
  if (batch.manifestHash === '' && batch.cancelRequestedAt !== undefined) {
    return 'CANCELLED';
  }
  if (batch.manifestHash !== manifestHash) {
    return 'OTHER';
  }
  if (batch.state === 'EXPANDING') {
    return undefined;
  }
  return batch.cancelRequestedAt !== undefined ? 'CANCELLED' : 'DUPLICATE';
}

/** A manifest whose message became a dead letter leaves a batch that is never completed: it must not stay forever. */
const abandonedAt = ({ policy }: Services, now: Date): Date => later(now, policy.retentionMs);

interface Claimed {
  readonly stored: Stored<Batch>;
  readonly token: string;
}

/** Creates the batch, or takes over one whose expansion stopped. */
async function claimBatch(
  services: Services,
  { manifest, jobs }: Expansion,
  messageId: string,
): Promise<Claimed | { concluded: Conclusion }> {
  const token = services.newToken();
  let conclusion: Conclusion | undefined;
  const { stored, written } = await changeBatch(services, manifest.id, (batch, now) => {
    conclusion = batch && conclusionOf(batch, manifest.hash);
    if (conclusion) {
      return undefined;
    }
    const claim = { token, leaseUntil: later(now, LEASE_MS) };
    if (!batch) {
      const { batchId, run, hash } = manifest;
      const made = {
        state: 'EXPANDING',
        batchId,
        run,
        manifestHash: hash,
        messageId,
        jobs,
        published: 0,
      } as const;
      return { ...made, claim, createdAt: now, expireAt: abandonedAt(services, now) };
    }
    // The same message is redelivered only after its delivery was given up; another message waits for the lease.
    const isBusy = batch.claim && batch.claim.leaseUntil > now && batch.messageId !== messageId;
    return isBusy ? undefined : { ...batch, messageId, claim, expireAt: abandonedAt(services, now) };
  });
  if (conclusion) {
    return { concluded: conclusion };
  }
  if (!written || !stored) {
    throw new ServiceError('BATCH_BUSY', `${manifest.id} is being expanded by another delivery; retry later`);
  }
  services.log.info('batch.expanding', { batchId: manifest.id, jobs, published: stored.value.published });
  return { stored, token };
}

interface Expanding extends Claimed {
  readonly expansion: Expansion;
  readonly rules: JobRules;
  readonly deadline: Date;
  readonly publishTime: Date | undefined;
}

async function publishJobs(services: Services, expanding: Expanding): Promise<Expanded> {
  const { expansion, deadline } = expanding;
  const { clock, log, stopping } = services;
  const { id: batchId } = expansion.manifest;
  const { jobs } = expansion;
  let { stored } = expanding;
  while (stored.value.published < jobs) {
    if (clock.now() >= deadline || stopping.aborted) {
      await releaseBatch(services, batchId, expanding.token);
      throw new ServiceError(
        'BATCH_UNFINISHED',
        `${batchId}: ${stored.value.published} of ${jobs} jobs are published; the next delivery continues`,
      );
    }
    const from = stored.value.published;
    const chunk = chunkFrom(expansion, from);
    let existing: number;
    try {
      existing = await publishChunk(services, expanding, from, chunk);
    } catch (error) {
      await releaseBatch(services, batchId, expanding.token);
      throw error;
    }
    const progress = await saveProgress(services, expanding, stored, from + chunk, existing);
    if ('cancelled' in progress) {
      log.info('batch.stopped', { batchId, published: from + chunk });
      return { outcome: 'CANCELLED', batchId };
    }
    stored = progress;
  }
  log.info('batch.expanded', { batchId, jobs, existing: stored.value.existing });
  return { outcome: 'PUBLISHED', batchId, jobs };
}

/** How many jobs are published together: bounded in number and in bytes, which bounds memory too. */
function chunkFrom(expansion: Expansion, from: number): number {
  let bytes = 0;
  let jobs = 0;
  while (jobs < CHUNK_JOBS && from + jobs < expansion.jobs) {
    bytes += expansion.messageBytes(from + jobs);
    if (jobs > 0 && bytes > CHUNK_BYTES) {
      break;
    }
    jobs += 1;
  }
  return jobs;
}

/**
 * Publishes a chunk, except for jobs that already have a record with the same content, from another batch or from a single
 * message: these records are shared, and count for this batch too. A job whose record has other content is published anyway,
 * so that it is recorded as a rejected message.
 *
 * @returns how many records have no room for this batch, and are only counted
 */
async function publishChunk(
  services: Services,
  { expansion, rules, publishTime }: Expanding,
  from: number,
  count: number,
): Promise<number> {
  const { config, publisher, store } = services;
  const jobs = Array.from({ length: count }, (_, offset) => from + offset);
  const ids = new Map(jobs.map((job) => [recordIdOfJob(expansion, job, rules), job]));
  const known = await store.records.getMany([...ids.keys()].filter((id) => id !== undefined));
  const skipped = new Set<number>();
  let existing = 0;
  const share = async (found: Found<ExportRecord>): Promise<void> => {
    const job = ids.get(found.id);
    if (job === undefined || !isReadable(found)) {
      return;
    }
    const { contentHash } = found.value;
    if (contentHash === undefined || contentHash === contentHashOfJob(expansion, job, rules)) {
      const shared = await shareRecord(services, found, expansion.manifest.id);
      if (shared !== 'DELETED') {
        skipped.add(job);
        existing += shared === 'FULL' ? 1 : 0;
      }
    }
  };
  await pMap(known, share, { concurrency: WRITES_AT_ONCE });
  // A job exists since its manifest was published: a cancellation that is published while the manifest is expanded applies.
  const attributes: Record<string, string> = publishTime
    ? { originalPublishTime: publishTime.toISOString() }
    : {};
  const messages: OutgoingMessage[] = jobs
    .filter((job) => !skipped.has(job))
    .map((job) => ({ data: expansion.message(job), attributes }));
  const outcomes = await publisher.publish(config.topics.jobs, messages, PUBLISH_TIMEOUT_MS);
  const failed = outcomes.find((outcome) => 'error' in outcome);
  if (failed) {
    const { message } = failed.error;
    throw new ServiceError(
      'PUBLISH_FAILED',
      `A job of ${expansion.manifest.id} could not be published: ${message}`,
      {
        cause: failed.error,
      },
    );
  }
  return existing;
}

/** Adds the batch to a record, unless it is there already or the record has too many batches. */
async function shareRecord(
  services: Services,
  found: Stored<ExportRecord>,
  batchId: string,
): Promise<'SHARED' | 'FULL' | 'DELETED'> {
  try {
    const { stored } = await updateRecord(services, found, (record) =>
      withBatch(record, batchId, services.clock.now()),
    );
    return isOfBatch(stored.value, batchId) ? 'SHARED' : 'FULL';
  } catch (error) {
    if (error instanceof StaleWriteError) {
      return 'DELETED';
    }
    throw error;
  }
}

/** Writes the progress, if this delivery still has the claim. With the last chunk the batch becomes RUNNING. */
async function saveProgress(
  services: Services,
  { expansion, token }: Expanding,
  stored: Stored<Batch>,
  published: number,
  existing: number,
): Promise<Stored<Batch> | { cancelled: true }> {
  const { id, hash } = expansion.manifest;
  let isOurs = true;
  const change = await changeBatch(services, id, (batch, now) => {
    isOurs = batch?.manifestHash === hash && batch.claim?.token === token;
    if (!batch || !isOurs) {
      return undefined;
    }
    const counted = { ...batch, published, existing: (stored.value.existing ?? 0) + existing };
    const { claim: _ended, expireAt: _expiry, ...rest } = counted;
    // Canceled meanwhile: it is no longer EXPANDING, and only waited for this progress.
    if (batch.state !== 'EXPANDING') {
      return rest;
    }
    return published === expansion.jobs
      ? { ...rest, state: 'RUNNING', expandedAt: now }
      : {
          ...counted,
          claim: { token, leaseUntil: later(now, LEASE_MS) },
          expireAt: abandonedAt(services, now),
        };
  });
  if (!isOurs || !change.stored) {
    throw new ServiceError('BATCH_BUSY', `${id} was taken over by another delivery`);
  }
  return change.stored.value.cancelRequestedAt === undefined ? change.stored : { cancelled: true };
}

import { later, MINUTE_MS } from '../clock.ts';
import { ServiceError } from '../errors.ts';
import { type Envelope, readJsonData } from '../message/envelope.ts';
import { jobRules, type JobRules } from '../message/job-message.ts';
import type { Issue } from '../model/rejected-message.ts';
import { rejectMessage } from '../message/rejection.ts';
import type { OutgoingMessage } from '../publisher.ts';
import { isOfBatch } from '../record/batches.ts';
import type { Services } from '../services.ts';
import { isReadable, type Stored } from '../store/store.ts';
import type { Batch } from '../model/batch.ts';
import { changeBatch, readBatch, releaseBatch } from './change-batch.ts';
import { checkExpansion } from './check-expansion.ts';
import { createExpansion, type Expansion } from './expansion.ts';
import { contentHashOfJob, recordIdOfJob } from './job-rules.ts';
import { readManifest } from './manifest.ts';

/** A manifest becomes job messages, each published once for the life of its batch where nothing goes wrong. */

/** The function has 540 s. Where they do not do, the message comes again and goes on where this delivery stopped. */
const BUDGET_MS = 8 * MINUTE_MS;
/** Nothing of a batch is published before all of it is checked, and a check cannot be resumed. */
const CHECK_MS = 4 * MINUTE_MS;
/** Renewed with every chunk. A redelivery of the same message need not wait for it. */
const LEASE_MS = MINUTE_MS;
const PUBLISH_TIMEOUT_MS = 30_000;

/** What is published before the progress is written, and at most published twice after a crash. */
const CHUNK_JOBS = 500;
const CHUNK_BYTES = 8_000_000;

const SOURCE = 'expandBatch';

export type Expanded =
  | { readonly outcome: 'REJECTED_MESSAGE'; readonly reason: string; readonly issues: readonly Issue[] }
  /** All of it is published. */
  | { readonly outcome: 'PUBLISHED'; readonly batchId: string; readonly jobs: number }
  /** This run was expanded before: nothing is to be done. */
  | { readonly outcome: 'DUPLICATE'; readonly batchId: string }
  /** It was cancelled: what was not published is not. */
  | { readonly outcome: 'CANCELLED'; readonly batchId: string };

/**
 * Handles one delivery of a manifest. When it resolves, the message may be acknowledged.
 *
 * @throws where it is to be delivered again: somebody else expands it (BATCH_BUSY), its time was over (BATCH_UNFINISHED), a
 * topic or the store failed. It then goes on where it stopped.
 */
export async function expandBatch(services: Services, envelope: Envelope): Promise<Expanded> {
  const deadline = later(services.clock.now(), BUDGET_MS);
  const data = readJsonData(envelope);
  if ('issues' in data) {
    return refuse(services, envelope, 'INVALID_DATA', data.issues);
  }
  const reading = readManifest(data.json, envelope.publishTime);
  if ('issues' in reading) {
    return refuse(services, envelope, 'INVALID_MANIFEST', reading.issues);
  }
  const { manifest } = reading;

  const known = await readBatch(services, manifest.id);
  const settled = known && concluded(known.value, manifest.hash);
  if (settled === 'OTHER') {
    return refuse(services, envelope, 'CONFLICT', [otherManifest(manifest.id)]);
  }
  if (settled) {
    return { outcome: settled, batchId: manifest.id };
  }

  const expansion = createExpansion(manifest);
  if ('issues' in expansion) {
    return refuse(services, envelope, 'INVALID_MANIFEST', expansion.issues);
  }
  const rules = jobRules(services.config);
  if (!known) {
    // A batch that is there was checked when it was made.
    const checkedBy = later(services.clock.now(), CHECK_MS);
    const issues = await checkExpansion(expansion, rules, () => services.clock.now() >= checkedBy);
    if (issues.length > 0) {
      return refuse(services, envelope, 'INVALID_MANIFEST', issues);
    }
  }
  const claimed = await claimBatch(services, expansion, envelope.messageId);
  if ('concluded' in claimed) {
    return claimed.concluded === 'OTHER'
      ? refuse(services, envelope, 'CONFLICT', [otherManifest(manifest.id)])
      : { outcome: claimed.concluded, batchId: manifest.id };
  }
  return publishJobs(services, { expansion, rules, deadline, ...claimed });
}

async function refuse(
  services: Services,
  envelope: Envelope,
  reason: string,
  issues: readonly Issue[],
): Promise<Expanded> {
  // Without batchId: this is no job of the batch, and must not count as one.
  await rejectMessage(services, envelope, { reason, issues, source: SOURCE });
  return { outcome: 'REJECTED_MESSAGE', reason, issues };
}

const otherManifest = (id: string): Issue => ({
  path: 'run',
  message: `${id} was made from another manifest; give this one another run, or another batchId`,
});

type Conclusion = 'DUPLICATE' | 'CANCELLED' | 'OTHER';

/** What a batch that is there says to this manifest; undefined where it is still to be expanded. */
function concluded(batch: Batch, manifestHash: string): Conclusion | undefined {
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

/** A manifest whose message died leaves a batch that nobody goes on with: it must not stay for ever. */
const abandonedAt = ({ policy }: Services, now: Date): Date => later(now, policy.retentionMs);

interface Claimed {
  readonly stored: Stored<Batch>;
  readonly token: string;
}

/** Creates the batch, or takes one over whose expansion stopped. */
async function claimBatch(
  services: Services,
  { manifest, jobs }: Expansion,
  messageId: string,
): Promise<Claimed | { concluded: Conclusion }> {
  const token = services.newToken();
  let conclusion: Conclusion | undefined;
  const { stored, written } = await changeBatch(services, manifest.id, (batch, now) => {
    conclusion = batch && concluded(batch, manifest.hash);
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
    // The same message comes again when its delivery was given up; another one waits for that to be clear.
    const isBusy = batch.claim && batch.claim.leaseUntil > now && batch.messageId !== messageId;
    return isBusy ? undefined : { ...batch, messageId, claim, expireAt: abandonedAt(services, now) };
  });
  if (conclusion) {
    return { concluded: conclusion };
  }
  if (!written || !stored) {
    throw new ServiceError(
      'BATCH_BUSY',
      `${manifest.id} is being expanded by another delivery; try again later`,
    );
  }
  services.log.info('batch.expanding', { batchId: manifest.id, jobs, published: stored.value.published });
  return { stored, token };
}

interface Expanding extends Claimed {
  readonly expansion: Expansion;
  readonly rules: JobRules;
  readonly deadline: Date;
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
        `${batchId}: ${stored.value.published} of ${jobs} are published; goes on when delivered again`,
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

/** How many jobs go together: bounded in number and in bytes, so that memory is too. */
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
 * Publishes a chunk but for the jobs that have a record of the same content already, made by another batch or by hand:
 * these are done or on their way, would never have a record of this batch, and are counted. One of other content is
 * published all the same, so that it is rejected where its sender looks.
 *
 * @returns how many were not published
 */
async function publishChunk(
  services: Services,
  { expansion, rules }: Expanding,
  from: number,
  count: number,
): Promise<number> {
  const { config, publisher, store } = services;
  const jobs = Array.from({ length: count }, (_, offset) => from + offset);
  const ids = new Map(jobs.map((job) => [recordIdOfJob(expansion, job, rules), job]));
  const known = await store.records.getMany([...ids.keys()].filter((id) => id !== undefined));
  const skipped = new Set<number>();
  for (const found of known) {
    const job = ids.get(found.id);
    if (job === undefined || !isReadable(found) || isOfBatch(found.value, expansion.manifest.id)) {
      continue;
    }
    const { contentHash } = found.value;
    if (contentHash === undefined || contentHash === contentHashOfJob(expansion, job, rules)) {
      skipped.add(job);
    }
  }
  const messages: OutgoingMessage[] = jobs
    .filter((job) => !skipped.has(job))
    .map((job) => ({ data: expansion.message(job), attributes: {} }));
  const outcomes = await publisher.publish(config.topics.jobs, messages, PUBLISH_TIMEOUT_MS);
  const failed = outcomes.find((outcome) => 'error' in outcome);
  if (failed) {
    const { message } = failed.error;
    throw new ServiceError(
      'PUBLISH_FAILED',
      `A job of ${expansion.manifest.id} was not published: ${message}`,
      {
        cause: failed.error,
      },
    );
  }
  return skipped.size;
}

/** Writes how far it came, if it is still this delivery's to do; with the last chunk the batch is RUNNING. */
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
    // Cancelled meanwhile: it is no longer EXPANDING, and waited only to know how far this came.
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

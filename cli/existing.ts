import { pathsThatDiffer } from '../shared/message/differences.ts';
import { nextAttemptId } from '../shared/model/ids.ts';
import type { Job } from '../shared/model/job.ts';
import type { ExportRecord } from '../shared/model/record.ts';
import { isReadable, type Records, type Stored } from '../shared/store/store.ts';

/** What exists of a job that is about to be submitted. */
export type Existing =
  | { readonly kind: 'NEW' }
  /** Submitting it again changes nothing. */
  | { readonly kind: 'SAME'; readonly own: ExportRecord; readonly latest: Stored<ExportRecord> }
  /** Its key belongs to a job with another content, so the service would reject it. */
  | { readonly kind: 'OTHER'; readonly paths: readonly string[]; readonly nextAttempt: number };

/** Looks up what the service already has of these jobs. */
export async function lookUpJobs(
  records: Pick<Records, 'getMany' | 'readRequest'>,
  jobs: readonly Job[],
): Promise<Existing[]> {
  const found = await latestAttempts(
    records,
    jobs.map(({ recordId }) => recordId),
  );
  return Promise.all(
    jobs.map(async (job): Promise<Existing> => {
      const { own, latest } = found.get(job.recordId) ?? {};
      if (!own || !latest) {
        return { kind: 'NEW' };
      }
      const { contentHash } = own.value;
      // A job that was canceled before its message arrived has no content to compare.
      return contentHash === undefined || contentHash === job.contentHash
        ? { kind: 'SAME', own: own.value, latest }
        : {
            kind: 'OTHER',
            paths: await pathsThatDiffer(records, job),
            nextAttempt: latest.value.attempt + 1,
          };
    }),
  );
}

interface Attempts {
  readonly own: Stored<ExportRecord>;
  readonly latest: Stored<ExportRecord>;
}

/** Attempt by attempt: most jobs have one, so each round reads fewer records. */
async function latestAttempts(
  records: Pick<Records, 'getMany'>,
  recordIds: readonly string[],
): Promise<Map<string, Attempts>> {
  const attempts = new Map<string, Attempts>();
  let lookups = [...new Set(recordIds)].map((recordId) => ({ recordId, attemptId: recordId }));
  while (lookups.length > 0) {
    const found = await records.getMany(lookups.map(({ attemptId }) => attemptId));
    const byId = new Map(found.filter(isReadable).map((each) => [each.id, each]));
    lookups = lookups.flatMap(({ recordId, attemptId }) => {
      const latest = byId.get(attemptId);
      if (!latest) {
        return [];
      }
      attempts.set(recordId, { own: attempts.get(recordId)?.own ?? latest, latest });
      const next = nextAttemptId(attemptId, latest.value.attempt);
      return next === undefined ? [] : [{ recordId, attemptId: next }];
    });
  }
  return attempts;
}

import type { AllowList } from '../../shared/config.ts';
import type { DeliveryState } from '../../shared/model/delivery.ts';
import { nextAttemptId, parseRequestId } from '../../shared/model/ids.ts';
import { type ExportRecord, isActive, isTerminal, type RecordIn } from '../../shared/model/record.ts';
import { recordQueries } from '../../shared/store/queries.ts';
import { isReadable, type Found, type Store, type Stored } from '../../shared/store/store.ts';
import { abbreviate } from '../../shared/text.ts';
import { historyOf } from './history.ts';
import { requestText } from './request-text.ts';
import { iso, optional, permissionOf, rowOf } from './row.ts';
import { videoOf } from './video-object.ts';
import type { DeliveryView, ExportFacts, ExportView, RecordErrorView, Row } from './view.ts';

/** Longest texts of a page about one record, in characters. */
const TEXT = 4000;
const ATTEMPTS = 20;
const FINDINGS = 20;

const text = (value: string): string => abbreviate(value, TEXT);

export async function exportPage(
  store: Store,
  found: Stored<ExportRecord>,
  allowed: AllowList,
  withRequest: boolean,
): Promise<ExportView> {
  const { id, value } = found;
  const [attempts, request] = await Promise.all([
    otherAttempts(store, found),
    withRequest ? requestText(store, id) : undefined,
  ]);
  const row = rowOf(found);
  const error = 'error' in value ? value.error : undefined;
  return {
    kind: 'export',
    row: { ...row, name: text(value.jobKey ?? id) },
    history: historyOf(value.history),
    ...optional('error', error && errorView(error)),
    ...('dueAt' in value && value.dueAt ? { dueAt: iso(value.dueAt) } : {}),
    facts: factsOf(value),
    findings: (value.findings ?? [])
      .slice(0, FINDINGS)
      .map(({ severity, code, path, message, suggestion }) => ({
        severity,
        code: abbreviate(code, 60),
        path: abbreviate(path, 300),
        message: text(message),
        suggestion: text(suggestion),
      })),
    attempts,
    ...optional('request', request),
    ...optional('delivery', deliveryOf(id, value, allowed)),
    ...optional('permission', permissionOf(value)),
    ...optional('retry', attempts.some(({ attempt }) => attempt > value.attempt) ? undefined : row.retry),
    canRenderAgain: value.state === 'SUCCEEDED' && isUndelivered(value.delivery?.state),
    canVerify: value.state === 'SUCCEEDED' && isVerifiable(value),
    canCancel: !isTerminal(value) && value.cancelRequestedAt === undefined,
  };
}

/** Whether checking again can find something else than the last check did. */
const isVerifiable = ({ delivery, destination }: RecordIn<'SUCCEEDED'>): boolean =>
  destination.startsWith('gs://') && delivery?.state !== 'VERIFIED' && delivery?.state !== 'PENDING';

const isUndelivered = (delivery: DeliveryState | undefined): boolean =>
  delivery === 'MISSING' || delivery === 'SUSPECT';

function deliveryOf(id: string, record: ExportRecord, allowed: AllowList): DeliveryView | undefined {
  if (record.state !== 'SUCCEEDED' || !record.delivery) {
    return undefined;
  }
  const { delivery, deliveredTo } = record;
  const { state, checkedAt, object, problems } = delivery;
  const { bytes, frames, framesPerSecond, width, height, durationSeconds, codec } = delivery;
  return {
    state,
    ...optional('checkedAt', checkedAt && iso(checkedAt)),
    ...optional('object', object && text(object)),
    ...optional('copy', deliveredTo && text(deliveredTo)),
    ...optional('bytes', bytes),
    ...optional('frames', frames),
    ...optional('framesPerSecond', framesPerSecond),
    ...optional('width', width),
    ...optional('height', height),
    ...optional('durationSeconds', durationSeconds),
    ...optional('codec', codec && abbreviate(codec, 60)),
    problems: problems.slice(0, 10).map(({ code, message }) => ({ code, message: text(message) })),
    ...optional('video', videoOf(record, allowed) && `/exports/${encodeURIComponent(id)}/video`),
  };
}

const errorView = ({
  code,
  status,
  message,
  retryable,
  advice,
}: NonNullable<Extract<ExportRecord, { state: 'FAILED' }>['error']>): RecordErrorView => ({
  code,
  status: abbreviate(status, 100),
  message: text(message),
  retryable,
  ...optional('advice', advice && text(advice)),
});

function factsOf(record: ExportRecord): ExportFacts {
  const observed = isActive(record) || 'operation' in record ? record : undefined;
  return {
    ...optional('destination', record.destination && text(record.destination)),
    outputUris: record.state === 'SUCCEEDED' ? record.outputUris.slice(0, 10).map(text) : [],
    ...optional('operation', observed?.operation),
    ...optional('stage', observed?.stage && text(observed.stage)),
    ...optional('eecuSeconds', 'eecuSeconds' in record ? record.eecuSeconds : undefined),
    priority: record.priority,
    ...optional('workloadTag', record.workloadTag),
    submissions: record.submissions,
    ...optional('submittedAt', observed && record.submittedAt && iso(record.submittedAt)),
    ...optional('serviceAccount', record.serviceAccount),
    messageId: text(record.messageId),
    extraOperations: (record.extraOperations ?? []).slice(0, 10).map(({ operation }) => text(operation)),
    ...('expireAt' in record ? { expireAt: iso(record.expireAt) } : {}),
  };
}

/** Other attempts at the same job, the latest first. */
async function otherAttempts({ records }: Store, { id, value }: Stored<ExportRecord>): Promise<Row[]> {
  const { jobKey, project, attempt } = value;
  const found =
    jobKey === undefined
      ? await records.getMany(attemptIds(id, attempt))
      : (await records.find(recordQueries.ofJobKey(jobKey), { limit: ATTEMPTS })).filter(isOf(project));
  return found
    .filter((other) => other.id !== id)
    .map(rowOf)
    .sort((a, b) => b.attempt - a.attempt);
}

/** The same job key in another project is another job. */
const isOf =
  (project: string) =>
  (found: Found<ExportRecord>): boolean =>
    isReadable(found) && found.value.project === project;

/** Without a key, attempts are found by their ids: the earlier ones, and the next. */
function attemptIds(id: string, attempt: number): string[] {
  if (!parseRequestId(id)) {
    return [];
  }
  const first = attempt > 1 ? id.slice(0, -`-${attempt}`.length) : id;
  const earlier = Array.from({ length: Math.min(attempt - 1, ATTEMPTS) }, (_, n) =>
    attempt - 1 - n === 1 ? first : `${first}-${attempt - 1 - n}`,
  );
  const next = nextAttemptId(id, attempt);
  return next === undefined ? earlier : [...earlier, next];
}

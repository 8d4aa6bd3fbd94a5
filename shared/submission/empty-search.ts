import type { ExportRecord } from '../model/record.ts';
import type { ProjectStatus } from '../model/project-status.ts';
import { type EmptySearch, earliestOperationAt } from '../record/proof.ts';
import type { Services } from '../services.ts';
import { changeStatus, readStatus } from './gate.ts';
import { type CompleteListing, marked } from './listing.ts';
import { isMarkerMissing } from './marker.ts';

/**
 * A complete list without a record's marker, as a search. It is inconclusive if the record's operation may be in the list
 * without its marker: as an operation without a description that is not older than the record's first claim, or because
 * Earth Engine drops markers (rule 5).
 */
export async function emptySearch(
  services: Pick<Services, 'store' | 'clock' | 'log'>,
  record: ExportRecord,
  listing: CompleteListing,
): Promise<EmptySearch> {
  const { startedAt, endedAt, hidingMs } = listing;
  const earliest = earliestOperationAt(record);
  const isHidden = hidingMs >= earliest.getTime();
  const inconclusive =
    isHidden || isMarkerMissing(await statusAfter(services, record.project, listing), earliest);
  return { startedAt, endedAt, inconclusive };
}

/** The project's status, after what the list shows about markers. Only a project that lacked one is written. */
async function statusAfter(
  services: Pick<Services, 'store' | 'clock' | 'log'>,
  project: string,
  listing: CompleteListing,
): Promise<ProjectStatus | undefined> {
  const status = (await readStatus(services, project))?.value;
  if (status?.markerMissingAt === undefined) {
    return status;
  }
  return changeStatus(services, project, (current, now) => {
    const next = afterList(current, listing, now);
    if (next) {
      services.log.warning('project.marker', { project, listed: true });
    }
    return next;
  });
}

/** The status after a complete list; undefined if the list shows nothing new. */
function afterList(status: ProjectStatus, listing: CompleteListing, now: Date): ProjectStatus | undefined {
  const { markerMissingAt, markerMissingOn, markerSeenAt, ...rest } = status;
  if (markerMissingAt === undefined) {
    return undefined;
  }
  const lacking = markerMissingOn === undefined ? undefined : listing.named(markerMissingOn);
  if (lacking && marked(lacking)) {
    return rest;
  }
  if (markerSeenAt !== undefined) {
    return undefined;
  }
  const isBack = [...listing.operations.values()]
    .flat()
    .some(({ operation }) => operation.createTime && operation.createTime > markerMissingAt);
  return isBack ? { ...status, markerSeenAt: now } : undefined;
}

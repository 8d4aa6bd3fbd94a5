import type { ExportRecord } from '../model/record.ts';
import type { ProjectStatus } from '../model/project-status.ts';
import { type EmptySearch, earliestOperationAt } from '../record/proof.ts';
import type { Services } from '../services.ts';
import { changeStatus, readStatus } from './gate.ts';
import { type CompleteListing, type Listing, marked } from './listing.ts';
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
  const { startedAt, endedAt, hidingAt } = listing;
  const earliest = earliestOperationAt(record);
  const isHidden = hidingAt !== undefined && hidingAt >= earliest;
  const inconclusive =
    isHidden || isMarkerMissing(await noteMarkers(services, record.project, listing), earliest);
  return { startedAt, endedAt, inconclusive };
}

/**
 * Notes that a list shows markers again. Only a project that lacked one is written.
 *
 * @returns the project's status afterwards
 */
export async function noteMarkers(
  services: Pick<Services, 'store' | 'clock' | 'log'>,
  project: string,
  listing: Listing,
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

/** The status after a list; undefined if the list shows nothing new. */
function afterList(status: ProjectStatus, listing: Listing, now: Date): ProjectStatus | undefined {
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

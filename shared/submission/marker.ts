import type { ProjectStatus } from '../model/project-status.ts';

/** Whether Earth Engine keeps the markers in a project's descriptions, as its responses show (rule 5). */

/** Whether the latest responses lacked the marker. */
export const lacksMarker = (status: ProjectStatus | undefined): boolean =>
  status?.markerMissingAt !== undefined && status.markerSeenAt === undefined;

/** The status after a response with or without the marker; undefined if that is nothing new. */
export function afterResponse(
  status: ProjectStatus,
  operation: string,
  echoed: boolean,
  now: Date,
): ProjectStatus | undefined {
  if (echoed !== lacksMarker(status)) {
    return undefined;
  }
  if (echoed) {
    return { ...status, markerSeenAt: now };
  }
  const { markerSeenAt: _lostAgain, ...rest } = status;
  return { ...rest, markerMissingAt: now, markerMissingOn: operation };
}

/**
 * Whether an operation that was created at `earliest` or later may be listed without its marker. Markers that are back do
 * not help an operation that was created while they were missing.
 */
export const isMarkerMissing = (status: ProjectStatus | undefined, earliest: Date): boolean =>
  status?.markerMissingAt !== undefined &&
  (status.markerSeenAt === undefined || earliest <= status.markerSeenAt);

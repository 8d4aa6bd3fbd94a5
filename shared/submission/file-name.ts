import type { Finding } from '../model/finding.ts';
import type { Job } from '../model/job.ts';
import type { Services } from '../services.ts';
import { recordQueries } from '../store/queries.ts';

/**
 * Warns if a job that has not ended writes to the same file. Another attempt at the same job does not count.
 *
 * Never throws: no job waits for a warning.
 */
export async function findFileNameInUse(
  { store, config, log }: Pick<Services, 'store' | 'config' | 'log'>,
  { recordId, jobKey, project, destination }: Job,
): Promise<Finding[]> {
  // Without a prefix, Earth Engine makes up a name.
  if (config.videoCheck === 'off' || destination.endsWith('/')) {
    return [];
  }
  try {
    const found = await store.records.find(recordQueries.unfinishedTo(destination), { limit: 1 });
    const other = found.find(
      (each) =>
        each.id !== recordId &&
        !(
          'value' in each &&
          jobKey !== undefined &&
          each.value.jobKey === jobKey &&
          each.value.project === project
        ),
    );
    return other ? [fileNameInUse(destination, other.id)] : [];
  } catch (error) {
    log.warning('submit.file_name_unknown', { recordId, error: String(error) });
    return [];
  }
}

/** @param other the record, or the job, that writes there */
export function fileNameInUse(destination: string, other: string): Finding {
  const field = destination.startsWith('drive:') ? 'driveDestination' : 'cloudStorageDestination';
  return {
    severity: 'WARNING',
    code: 'FILE_NAME_IN_USE',
    path: `request.fileExportOptions.${field}.filenamePrefix`,
    message: `${other} has not ended and writes to ${destination} too: one video may replace the other`,
    suggestion: 'Give each job its own filenamePrefix.',
  };
}

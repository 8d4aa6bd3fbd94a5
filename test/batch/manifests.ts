import { readFileSync } from 'node:fs';

import { smallJob } from '../harness.ts';

/** The request of an annual timelapse as the JavaScript client makes it, with holes for a region and a year. */
export function landsatTemplate(): Record<string, unknown> {
  const file = new URL('../fixtures/requests/landsat-annual-timelapse.json', import.meta.url);
  const text = readFileSync(file, 'utf8');
  return JSON.parse(
    text
      .replaceAll(/\[\s*-115\.14,\s*36\.17\s*\]/g, '"${region.point}"')
      .replaceAll(/"constantValue": 2020\b/g, '"constantValue": "${year}"'),
  ) as Record<string, unknown>;
}

export const regions = [
  { id: 'alps', point: [7.65, 45.97] },
  { id: 'vegas', point: [-115.14, 36.17] },
];

/** Six jobs: two regions and three years. */
export function landsatManifest(change: Record<string, unknown> = {}): Record<string, unknown> {
  const request = landsatTemplate();
  return {
    batchId: 'weekly-timelapse',
    matrix: { region: regions, year: [2018, 2019, 2020] },
    job: {
      jobKey: '${batchId}/${run}/${region.id}/${year}',
      labels: { region: '${region.id}' },
      request: {
        ...request,
        description: '${region.id}-${year}',
        fileExportOptions: {
          fileFormat: 'MP4',
          cloudStorageDestination: { bucket: 'my-bucket', filenamePrefix: '${region.id}/${year}' },
        },
      },
    },
    ...change,
  };
}

/** A manifest of a number of small jobs on one axis. */
export function smallManifest(jobs: number, change: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    batchId: 'small',
    run: '2026-11-23',
    matrix: { n: Array.from({ length: jobs }, (_, n) => n) },
    job: smallJob({ jobKey: '${batchId}/${run}/${n}' }, { description: 'n-${n}' }),
    ...change,
  };
}

/** The same, with a file for each job: among thousands that write to one file, each arrival would look through those before it. */
export function manifestOfFiles(jobs: number): Record<string, unknown> {
  const cloudStorageDestination = { bucket: 'my-bucket', filenamePrefix: 'small/${n}' };
  const fileExportOptions = { fileFormat: 'MP4', cloudStorageDestination };
  return smallManifest(jobs, { job: smallJob({ jobKey: '${batchId}/${run}/${n}' }, { fileExportOptions }) });
}

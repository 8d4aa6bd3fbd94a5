import { MINUTE_MS } from '../../shared/clock.ts';
import { createLog } from '../../shared/log.ts';
import { withRequestId } from '../../shared/message/identity.ts';
import type { ExportRecord } from '../../shared/model/record.ts';
import { createWatched, submitMany, type Watched } from './watched.ts';

/** Fills many projects with copies of two jobs. To submit a hundred thousand jobs would take minutes. */

export interface FillOptions {
  /** Jobs of each project that are at Earth Engine. */
  readonly jobs: number;
  /** Jobs of each project that wait in the queue, as if Earth Engine's queue had just been full. */
  readonly waiting?: number;
  readonly environment?: Readonly<Record<string, string>> | undefined;
}

/** The project of the two jobs that are copied. */
const TEMPLATES = 'templates';

/** The IDs of so many projects, in their order. */
export const projectNames = (count: number): string[] =>
  Array.from({ length: count }, (_, n) => `team-${String(n).padStart(4, '0')}`);

const silent = createLog(
  () => {},
  () => new Date(),
);

/** @returns a harness with so many projects (`projectNames`), a minute after their last job was submitted */
export async function fillProjects(
  projects: number,
  { jobs, waiting = 0, environment }: FillOptions,
): Promise<Watched> {
  const harness = createWatched({
    log: silent,
    environment: { EARTHENGINE_REQUESTS_PER_SECOND: '100', ...environment },
  });
  const { memory, gate } = harness;
  const [active = ''] = await submitMany(harness, 1, TEMPLATES);
  await gate.close(TEMPLATES, 'QUEUE', undefined);
  const [, queued = ''] = await submitMany(harness, 2, TEMPLATES);
  const request = await memory.records.readRequest(active);
  const templates = { active: await harness.record(active), queued: await harness.record(queued) };
  [active, queued].forEach((id) => memory.remove(`videoExports/${id}`));
  let made = 0;
  for (const project of projectNames(projects)) {
    for (let n = 0; n < jobs + waiting; n += 1) {
      const isSent = n < jobs;
      await copy(harness, isSent ? templates.active : templates.queued, {
        request,
        requestId: idOf(made),
        project,
        isSent,
      });
      made += 1;
    }
  }
  harness.clock.advance(MINUTE_MS);
  return harness;
}

/** An ID as records have them, which differs for each number. */
const idOf = (n: number): string =>
  `ve1-${String(n)
    .padStart(32, 'a')
    .replaceAll(/\d/g, (digit) => 'bcdefghijk'.charAt(Number(digit)))}`;

async function copy(
  { memory, services }: Watched,
  template: ExportRecord,
  job: {
    readonly request: Uint8Array;
    readonly requestId: string;
    readonly project: string;
    readonly isSent: boolean;
  },
): Promise<void> {
  const { requestId, project } = job;
  const { bytes, description } = withRequestId(job.request, requestId);
  const record: ExportRecord = { ...template, requestId, project, description };
  if (!job.isSent) {
    await memory.records.create(requestId, record, bytes);
    return;
  }
  const { name: operation } = await services.earthEngine.startExport(project, bytes, {
    timeoutMs: MINUTE_MS,
  });
  memory.put(`videoExports/${requestId}`, { ...record, operation });
}

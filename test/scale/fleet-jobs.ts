import type { SimulatorSettings } from '../../infra/local/simulator/index.ts';
import { MINUTE_MS } from '../../shared/clock.ts';
import { createLog } from '../../shared/log.ts';
import { withRequestId } from '../../shared/message/identity.ts';
import type { ExportRecord } from '../../shared/model/record.ts';
import { createWatched, submitMany, type Watched } from './watched.ts';

/** Projects with jobs, for simulations of many: copies of one job, since a hundred thousand would take minutes. */

export interface FillOptions {
  /** Jobs of each project that wait at Earth Engine. */
  readonly jobs: number;
  /** And those that wait for it, as if its queue had just been full. */
  readonly waiting?: number;
  readonly simulator?: Partial<SimulatorSettings> | undefined;
  readonly environment?: Readonly<Record<string, string>> | undefined;
}

const TEMPLATES = 'templates';

export const projectName = (n: number): string => `team-${String(n).padStart(4, '0')}`;

const silent = createLog(
  () => {},
  () => new Date(),
);

export async function fillProjects(
  projects: number,
  { jobs, waiting = 0, simulator, environment }: FillOptions,
): Promise<Watched> {
  const harness = createWatched({
    log: silent,
    environment: { EARTHENGINE_REQUESTS_PER_SECOND: '100', ...environment },
    ...(simulator && { simulator: { settings: simulator } }),
  });
  const { memory, gate } = harness;
  const [active = ''] = await submitMany(harness, 1, TEMPLATES);
  await gate.close(TEMPLATES, 'QUEUE', undefined);
  const [, queued = ''] = await submitMany(harness, 2, TEMPLATES);
  const request = await memory.records.readRequest(active);
  const templates = { active: await harness.record(active), queued: await harness.record(queued) };
  [active, queued].forEach((id) => memory.remove(`videoExports/${id}`));
  let made = 0;
  for (let project = 0; project < projects; project += 1) {
    for (let n = 0; n < jobs + waiting; n += 1) {
      const isSent = n < jobs;
      await copy(harness, isSent ? templates.active : templates.queued, {
        request,
        requestId: idOf(made),
        project: projectName(project),
        isSent,
      });
      made += 1;
    }
  }
  harness.clock.advance(MINUTE_MS);
  return harness;
}

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

import type { MemoryStore } from '../../infra/local/memory/store.ts';
import { DAY_MS, HOUR_MS, later, MINUTE_MS } from '../../shared/clock.ts';
import { recordIdOf } from '../../shared/model/ids.ts';
import type { ExportRecord, RecordIn, RecordState } from '../../shared/model/record.ts';
import { samples } from '../record/samples.ts';

/** Records as a team that renders every week has them. */

const regions = ['las-vegas', 'dubai', 'lagos', 'amazon', 'aral-sea', 'alps', 'mekong', 'sundarbans'];
const years = ['2019', '2020', '2021', '2022', '2023', '2024'];

export function recordFor<S extends RecordState>(
  state: S,
  jobKey: string,
  changes: Partial<RecordIn<S>> = {},
): { id: string; record: RecordIn<S> } {
  const project = 'demo-videos';
  const id = recordIdOf({ project, jobKey, attempt: 1 });
  const record = {
    ...samples[state],
    requestId: id,
    project,
    jobKey,
    destination: `gs://demo-timelapses/${jobKey}`,
    serviceAccount: 'video-export-sender@demo-videos.iam.gserviceaccount.com',
    messageId: '11482093755120',
    ...('operation' in samples[state]
      ? { operation: `projects/demo-videos/operations/${id.slice(4, 28).toUpperCase()}` }
      : {}),
    ...('dueAt' in samples[state] ? { dueAt: new Date('2999-01-01T00:00:00Z') } : {}),
    ...(state === 'SUCCEEDED' ? { outputUris: [`gs://demo-timelapses/${jobKey}.mp4`] } : {}),
    ...changes,
  };
  return { id, record };
}

/** A dozen situations, relative to `now`. */
export async function seedTeam(store: MemoryStore, now: Date): Promise<void> {
  const ago = (ms: number) => later(now, -ms);
  const batchId = 'annual-timelapses@2026-11-23';
  const put = async (id: string, record: ExportRecord, request?: Uint8Array) => {
    await store.records.create(id, record, request);
  };
  const request = new TextEncoder().encode(JSON.stringify(exampleRequest));
  for (const [r, region] of regions.entries()) {
    for (const [y, year] of years.entries()) {
      const key = `annual-timelapses/2026-11-23/${region}/${year}`;
      const n = r * years.length + y;
      const times = { createdAt: ago(9 * HOUR_MS - n * MINUTE_MS), updatedAt: ago(HOUR_MS) };
      const common = { batchId, labels: { team: r < 5 ? 'water' : 'land' }, ...times };
      const { id, record } = entry(key, n, common, now);
      await put(id, record, request);
    }
  }
  await seedHistory(store, now);
  await seedOthers(store, now);
  await store.batches.create(batchId, {
    state: 'RUNNING',
    batchId: 'annual-timelapses',
    run: '2026-11-23',
    manifestHash: 'hash',
    messageId: '1',
    jobs: 48,
    published: 48,
    revision: 3,
    createdAt: ago(9 * HOUR_MS),
    expandedAt: ago(8 * HOUR_MS),
    updatedAt: ago(HOUR_MS),
  });
  for (const [week, date] of ['2026-11-16', '2026-11-09', '2026-11-02'].entries()) {
    await store.batches.create(`annual-timelapses@${date}`, {
      state: 'FINISHED',
      batchId: 'annual-timelapses',
      run: date,
      manifestHash: 'hash',
      messageId: String(week + 2),
      jobs: 48,
      published: 48,
      counts: { SUCCEEDED: 48 - week, ...(week > 0 ? { FAILED: week } : {}) },
      eecuSeconds: 3600 * (61 + 7 * week),
      revision: 9,
      createdAt: ago((7 * (week + 1) + 1) * DAY_MS),
      expandedAt: ago((7 * (week + 1) + 1) * DAY_MS),
      finishedAt: ago(7 * (week + 1) * DAY_MS),
      updatedAt: ago(7 * (week + 1) * DAY_MS),
      expireAt: later(now, 60 * DAY_MS),
    });
  }
}

type Common = Pick<ExportRecord, 'batchId' | 'labels' | 'createdAt' | 'updatedAt'>;

function entry(key: string, n: number, common: Common, now: Date): { id: string; record: ExportRecord } {
  const ago = (ms: number) => later(now, -ms);
  if (n < 29) {
    const finishedAt = ago((29 - n) * 14 * MINUTE_MS);
    const history = [
      { state: 'SUBMITTING', at: common.createdAt },
      { state: 'PENDING', at: later(common.createdAt, 1200) },
      { state: 'RUNNING', at: ago((30 - n) * 17 * MINUTE_MS) },
    ];
    if (n === 7 || n === 19) {
      return recordFor('FAILED', key, {
        ...common,
        finishedAt,
        updatedAt: finishedAt,
        startedAt: ago((30 - n) * 17 * MINUTE_MS),
        submittedAt: later(common.createdAt, 1200),
        expireAt: later(finishedAt, 90 * DAY_MS),
        eecuSeconds: 900,
        history: [...history, { state: 'FAILED', at: finishedAt }],
        error: {
          code: 3,
          status: 'INVALID_ARGUMENT',
          message:
            'Exported bands must have compatible data types; found inconsistent types: Int16 and Byte.',
          retryable: false,
          advice:
            'Make every frame an 8-bit image with the same three bands, for example with visualize and three bands.',
        },
      });
    }
    return recordFor('SUCCEEDED', key, {
      ...common,
      finishedAt,
      updatedAt: finishedAt,
      startedAt: ago((30 - n) * 17 * MINUTE_MS),
      submittedAt: later(common.createdAt, 1200),
      expireAt: later(finishedAt, 90 * DAY_MS),
      eecuSeconds: 2400 + ((n * 977) % 3000),
      history: [...history, { state: 'SUCCEEDED', at: finishedAt }],
    });
  }
  if (n < 33) {
    const updatedAt = ago(2 * MINUTE_MS);
    return recordFor('RUNNING', key, {
      ...common,
      submittedAt: later(common.createdAt, 1200),
      updatedAt,
      startedAt: ago((33 - n) * 9 * MINUTE_MS),
      stage: n % 2 === 0 ? 'Render frames' : 'Encode video',
      progress: 0.2 * (34 - n) - 0.07,
      stalledSince: undefined,
    });
  }
  return n < 40
    ? recordFor('PENDING', key, common)
    : recordFor('WAITING', key, {
        ...common,
        waitingFor: n === 47 ? 'RATE' : 'QUEUE',
        dueAt: later(now, 5 * MINUTE_MS),
        error: {
          code: 400,
          status: 'FAILED_PRECONDITION',
          message:
            'Too many tasks are already in the queue (3000). Please wait for some of them to complete.',
          retryable: true,
        },
      });
}

/** What finished in the last day, in a wave. */
async function seedHistory(store: MemoryStore, now: Date): Promise<void> {
  for (let hour = 1; hour < 24; hour++) {
    const jobs = Math.max(0, Math.round(9 + 7 * Math.sin(hour / 3.1)));
    for (let n = 0; n < jobs; n++) {
      const key = `daily/${hour}/${n}`;
      const finishedAt = later(now, -hour * HOUR_MS - n * MINUTE_MS);
      const times = { createdAt: later(finishedAt, -2 * HOUR_MS), finishedAt, updatedAt: finishedAt };
      const { id, record } =
        n === 4 && hour % 6 === 1
          ? recordFor('FAILED', key, { ...times, batchId: undefined, eecuSeconds: 700 })
          : recordFor('SUCCEEDED', key, {
              ...times,
              batchId: undefined,
              eecuSeconds: 700 + 300 * (n % 4) + 40 * hour,
            });
      await store.records.create(id, record);
    }
  }
}

async function seedOthers(store: MemoryStore, now: Date): Promise<void> {
  const ago = (ms: number) => later(now, -ms);
  const times = { createdAt: ago(3 * DAY_MS), updatedAt: ago(HOUR_MS) };
  const permission = recordFor('WAITING', 'wildfires/california/2025', {
    ...times,
    batchId: undefined,
    waitingFor: 'PERMISSION',
    dueAt: later(now, 7 * MINUTE_MS),
    error: {
      code: 403,
      status: 'PERMISSION_DENIED',
      message: "Permission 'earthengine.exports.create' denied on resource 'projects/fire-team'.",
      retryable: true,
    },
  });
  await store.records.create(permission.id, permission.record);
  await store.projects.create('demo-videos', {
    closures: 2,
    closedUntil: later(now, 4 * MINUTE_MS),
    closedFor: 'QUEUE',
    updatedAt: ago(MINUTE_MS),
  });
  await store.budgetStatus.create('current', {
    computedAt: now,
    budgets: [
      {
        id: 'water-team',
        match: { label: { key: 'team', value: 'water' } },
        period: now.toISOString().slice(0, 7),
        limitEecuHours: 400,
        spentEecuSeconds: 3600 * 338,
        strict: false,
        holds: false,
        cancels: false,
        told: [],
      },
    ],
  });
  await store.rejectedMessages.create('9182736455', {
    reason: 'INVALID_JOB',
    issues: [
      {
        path: 'request.videoOptions.framesPerSecond',
        message: 'found 500; allowed: a number from 0.1 to 120',
      },
    ],
    source: 'submitExport',
    attributes: {},
    data: '{}',
    batchId: 'annual-timelapses@2026-11-23',
    createdAt: ago(2 * HOUR_MS),
    expireAt: later(now, 60 * DAY_MS),
  });
}

const exampleRequest = {
  expression: {
    result: '0',
    values: { '0': { functionInvocationValue: { functionName: 'ImageCollection.load', arguments: {} } } },
  },
  description: 'annual-timelapse',
  videoOptions: { framesPerSecond: 12 },
  fileExportOptions: {
    fileFormat: 'MP4',
    cloudStorageDestination: { bucket: 'demo-timelapses', filenamePrefix: 'annual-timelapses/las-vegas' },
  },
};

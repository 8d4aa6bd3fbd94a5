import { bytesOf, type DeliveredFile } from '../../infra/local/storage/deliver.ts';
import { MINUTE_MS } from '../../shared/clock.ts';
import { isReadable } from '../../shared/store/store.ts';
import type { Bill } from '../counting-store.ts';
import { smallJob } from '../harness.ts';
import { createWatched, type Watched } from '../scale/watched.ts';
import type { Bench, Row } from './table.ts';

/**
 * Jobs that all succeed before one poll, and what verifying their videos costs: calls of Cloud Storage, bytes read of a video,
 * and documents that Firestore would bill. The baseline of calls and bytes is downloading each video; that of documents, and of an
 * idle poll, is the same poll with VERIFY_DELIVERY=off. Everything runs in this process, in virtual time.
 */

const JOBS = 3000;
/** For the other layouts: a job costs as much among few as among many. */
const FEW = 300;
const MAX_CALLS = 3;
const MAX_KIB = 64;

interface Layout {
  readonly name: string;
  readonly file: DeliveredFile;
  /** The file in `infra/local/storage/videos`. */
  readonly video: string;
  readonly jobs: number;
  /** Whether the goals apply. */
  readonly isUsual: boolean;
}

const layouts: readonly Layout[] = [
  { name: 'index first, 12 frames', file: 'complete', video: '320', jobs: JOBS, isUsual: true },
  { name: 'index first, 900 frames', file: 'long', video: 'long', jobs: FEW, isUsual: true },
  {
    name: 'index last, 900 frames',
    file: 'long-index-last',
    video: 'long-index-last',
    jobs: FEW,
    isUsual: false,
  },
  { name: 'fragmented', file: 'fragmented', video: 'fragmented', jobs: FEW, isUsual: false },
];

async function run(): Promise<Row[]> {
  const rows: Row[] = [];
  const off = await polls('complete', JOBS, 'off');
  for (const { name, file, video, jobs, isUsual } of layouts) {
    const on = await polls(file, jobs, 'on');
    const what = `${jobs} ended, ${name}`;
    rows.push(
      {
        what: `${what}: calls per job`,
        value: on.calls / jobs,
        // A list and a download.
        baseline: 2,
        unit: 'calls',
        ...(isUsual ? { most: MAX_CALLS } : {}),
      },
      {
        what: `${what}: read per job`,
        value: on.bytesRead / jobs / 1024,
        baseline: bytesOf(video).length / 1024,
        unit: 'KiB',
        ...(isUsual ? { most: MAX_KIB } : {}),
      },
      ...(['reads', 'writes'] as const).map((part) => ({
        what: `${what}: ${part} per job`,
        value: on.ending[part] / jobs,
        baseline: off.ending[part] / JOBS,
        unit: part,
      })),
    );
    if (file === 'complete') {
      rows.push(
        ...(['reads', 'writes'] as const).map((part) => ({
          what: `idle poll after it: ${part}`,
          value: on.idle[part],
          baseline: off.idle[part],
          unit: part,
          most: off.idle[part],
        })),
        {
          what: 'idle poll after it: calls of Cloud Storage',
          value: on.idleCalls,
          baseline: off.idleCalls,
          unit: 'calls',
          most: 0,
        },
      );
    }
  }
  return rows;
}

interface Costs {
  readonly calls: number;
  readonly bytesRead: number;
  /** Of the poll in which all jobs end. */
  readonly ending: Bill;
  /** Of the next one. */
  readonly idle: Bill;
  readonly idleCalls: number;
}

async function polls(file: DeliveredFile, jobs: number, setting: 'on' | 'off'): Promise<Costs> {
  const harness = createWatched({
    environment: { VERIFY_DELIVERY: setting },
    deliveries: [{ pattern: '.', file }],
  });
  const { simulator, store, clock, buckets } = harness;
  for (let n = 0; n < jobs; n += 1) {
    const cloudStorageDestination = { bucket: 'my-bucket', filenamePrefix: `video-${n}-` };
    const fileExportOptions = { fileFormat: 'MP4', cloudStorageDestination };
    await harness.submit({ data: smallJob({ jobKey: `job/${n}` }, { fileExportOptions }) });
  }
  await harness.poll();
  for (const { name } of simulator.operations()) {
    simulator.endOperation(name, { state: 'SUCCEEDED' });
  }
  clock.advance(MINUTE_MS);
  store.takeBill();
  await harness.poll();
  const ending = store.takeBill();
  const { bytesRead } = buckets.counters;
  const calls = callsOf(harness);
  await requireDelivered(harness, jobs, setting);
  clock.advance(MINUTE_MS);
  store.takeBill();
  await harness.poll();
  return { calls, bytesRead, ending, idle: store.takeBill(), idleCalls: callsOf(harness) - calls };
}

const callsOf = ({ buckets }: Watched): number =>
  Object.values(buckets.counters.calls).reduce((sum, calls) => sum + calls, 0);

/** A cost of deliveries that were not verified says nothing. */
async function requireDelivered({ memory }: Watched, jobs: number, setting: 'on' | 'off'): Promise<void> {
  const wanted = setting === 'on' ? 'VERIFIED' : 'UNCHECKED';
  const found = await memory.records.find({ where: [], orderBy: [] }, { limit: jobs + 1 });
  const delivered = found.filter(
    (each) => isReadable(each) && each.value.state === 'SUCCEEDED' && each.value.delivery?.state === wanted,
  );
  if (delivered.length !== jobs) {
    throw new Error(`${delivered.length} of ${jobs} deliveries are ${wanted}`);
  }
}

export default { name: 'delivery', run } satisfies Bench;

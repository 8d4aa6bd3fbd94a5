import { MINUTE_MS, SECOND_MS } from '../../shared/clock.ts';
import type { ExportRecord } from '../../shared/model/record.ts';
import { createHarness, type Harness, queueFull, smallJob } from '../harness.ts';
import { createFaultyProcess, type Fault, type FaultKind, faultKinds, type FaultyProcess } from './faults.ts';

/**
 * What Firestore and Earth Engine contain after a process dies, or a call fails, at one step, and how recovery happens.
 */

export interface CrashPoint {
  readonly situation: string;
  readonly step: string;
  readonly kind: FaultKind;
  /** The record's state right after the fault; `nothing` if there is no record. */
  readonly inFirestore: string;
  readonly atEarthEngine: 'nothing' | 'the operation';
  readonly recoveredBy:
    | 'not needed'
    | 'a redelivery by Pub/Sub'
    | 'the next poll'
    | 'the poll after the lease'
    | 'the poll after a wait';
  /** Whole minutes until the record matches Earth Engine and no event is pending, with a poll every minute. */
  readonly minutes: number;
}

interface Situation {
  readonly name: string;
  /** Leads to the situation. The process with the fault does what it returns. */
  readonly lead: (harness: Harness) => Promise<(process: FaultyProcess) => Promise<unknown>>;
}

const submitting = (harness: Harness) => (process: FaultyProcess) =>
  harness.instance((services) => process.wrap(services)).submit({ data: smallJob() });
const polling = (harness: Harness) => (process: FaultyProcess) =>
  harness.instance((services) => process.wrap(services)).poll();

async function lostClaim(
  harness: Harness,
  kind: FaultKind,
): Promise<(process: FaultyProcess) => Promise<unknown>> {
  const dying = createFaultyProcess(harness.clock, { step: 'ee.startExport', occurrence: 1, kind });
  await submitting(harness)(dying).catch(() => undefined);
  harness.clock.advance(121 * SECOND_MS);
  return polling(harness);
}

export const situations: readonly Situation[] = [
  { name: 'submit', lead: async (harness) => submitting(harness) },
  {
    name: 'poll, a claim ran out and Earth Engine has nothing',
    lead: (harness) => lostClaim(harness, 'crash before'),
  },
  {
    name: 'poll, a claim ran out and Earth Engine has the operation',
    lead: (harness) => lostClaim(harness, 'crash after'),
  },
  {
    name: 'poll, the job waits and the queue has room again',
    lead: async (harness) => {
      harness.simulator.failNext('export', queueFull);
      await harness.submit({ data: smallJob() });
      harness.clock.advance(31 * SECOND_MS);
      return polling(harness);
    },
  },
  {
    name: 'poll, the operation began to run',
    lead: async (harness) => {
      await harness.submit({ data: smallJob() });
      harness.clock.advance(MINUTE_MS);
      return polling(harness);
    },
  },
];

const newWorld = (): Harness =>
  createHarness({
    environment: { RETRY_MAX_SECONDS: '240' },
    simulator: { settings: { runMs: [1e9, 1e9] } },
  });

/** Every step of every situation, with every kind of fault. */
export async function findCrashPoints(): Promise<CrashPoint[]> {
  const points: CrashPoint[] = [];
  for (const situation of situations) {
    const harness = newWorld();
    const whole = createFaultyProcess(harness.clock);
    const work = await situation.lead(harness);
    await work(whole);
    for (const step of new Set(whole.steps)) {
      for (const kind of faultKinds) {
        points.push(await inject(situation, { step, occurrence: 1, kind }));
      }
    }
  }
  return points;
}

async function inject({ name, lead }: Situation, fault: Fault): Promise<CrashPoint> {
  const harness = newWorld();
  const work = await lead(harness);
  const process = createFaultyProcess(harness.clock, fault);
  const acknowledged = await work(process).then(
    () => true,
    () => false,
  );
  const before = await recordOf(harness);
  const operations = harness.simulator.operations();
  const isRecovered = await isInOrder(harness);
  const faultMs = harness.clock.now().getTime();
  for (let minutes = 0; minutes < 30 && !(await isInOrder(harness)); minutes += 1) {
    harness.clock.advance(MINUTE_MS);
    if (!acknowledged && name === 'submit') {
      await harness.submit({ data: smallJob() });
    }
    await harness.poll();
  }
  const minutes = Math.round((harness.clock.now().getTime() - faultMs) / MINUTE_MS);
  return {
    situation: name,
    step: fault.step,
    kind: fault.kind,
    inFirestore: before?.state ?? 'nothing',
    atEarthEngine: operations.length === 0 ? 'nothing' : 'the operation',
    recoveredBy: isRecovered ? 'not needed' : recoveryOf(before),
    minutes: isRecovered ? 0 : minutes,
  };
}

function recoveryOf(record: ExportRecord | undefined): CrashPoint['recoveredBy'] {
  switch (record?.state) {
    case undefined:
      return 'a redelivery by Pub/Sub';
    case 'SUBMITTING':
      return 'the poll after the lease';
    case 'WAITING':
      return record.waitingFor === 'QUEUE' || record.waitingFor === 'RATE'
        ? 'the next poll'
        : 'the poll after a wait';
    default:
      return 'the next poll';
  }
}

async function recordOf(harness: Harness): Promise<ExportRecord | undefined> {
  const [stored] = await harness.records();
  return stored?.value;
}

/** The record matches Earth Engine, and no event is pending. */
async function isInOrder(harness: Harness): Promise<boolean> {
  const record = await recordOf(harness);
  const operations = harness.simulator.operations();
  return (
    operations.length === 1 &&
    record !== undefined &&
    record.state === operations[0]?.state &&
    (record.unpublishedEvents ?? []).length === 0
  );
}

/** The points as rows of a table, grouped by outcome. */
export function tableOf(points: readonly CrashPoint[]): string[] {
  const rows = Map.groupBy(points, ({ situation, inFirestore, atEarthEngine, recoveredBy }) =>
    [situation, inFirestore, atEarthEngine, recoveredBy].join(' | '),
  );
  return [...rows].map(([row, group]) => {
    const steps = [...Map.groupBy(group, ({ step }) => step)].map(([step, same]) => {
      const kinds = same.map(({ kind }) => kind);
      return kinds.length === faultKinds.length ? `\`${step}\`` : `\`${step}\` (${kinds.join(', ')})`;
    });
    const [situation, ...outcome] = row.split(' | ');
    const most = Math.max(...group.map(({ minutes }) => minutes));
    return `| ${[situation, steps.join('; '), ...outcome, most === 0 ? '–' : `${most} min`].join(' | ')} |`;
  });
}

import { MINUTE_MS, SECOND_MS } from '../../shared/clock.ts';
import { EarthEngineError } from '../../shared/earth-engine/api.ts';
import type { ExportRecord } from '../../shared/model/record.ts';
import { requestCancellation } from '../../shared/record/cancellation.ts';
import { updateRecord } from '../../shared/records.ts';
import { createHarness, type Harness, type HarnessOptions, smallJob } from '../harness.ts';
import { createFaultyProcess, type Fault } from './faults.ts';

/** Helpers for the tests of the rules. */

/** T is 240 s with these. */
export const environment = { RETRY_MAX_SECONDS: '240', POLL_MAX_SECONDS: '600' };
export const T_MS = 240 * SECOND_MS;

export const world = (options: HarnessOptions = {}): Harness =>
  createHarness({ ...options, environment: { ...environment, ...options.environment } });

export async function theRecord(harness: Harness): Promise<ExportRecord> {
  const [stored] = await harness.records();
  if (!stored) {
    throw new Error('there is no record');
  }
  return stored.value;
}

/** Polls every minute for this long. */
export async function pollFor(harness: Harness, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += MINUTE_MS) {
    harness.clock.advance(MINUTE_MS);
    await harness.poll();
  }
}

export const faulty = (harness: Harness, fault: Fault) =>
  harness.instance((services) => createFaultyProcess(harness.clock, fault).wrap(services));

export const refusal = (kind: 'REFUSED' | 'UNANSWERED', httpStatus: number): EarthEngineError =>
  new EarthEngineError(kind, { message: kind, httpStatus, status: kind, reply: kind });

/** Starts an operation with a marker at Earth Engine, bypassing the service. */
export async function startAtEarthEngine(
  harness: Harness,
  requestId: string,
  description: string,
): Promise<void> {
  const { request } = smallJob() as { request: object };
  const body = Buffer.from(JSON.stringify({ ...request, requestId, description }));
  const path = '/v1/projects/demo-test/video:export';
  await harness.simulator.handle({ method: 'POST', path, headers: {}, body });
}

export async function cancel(harness: Harness): Promise<void> {
  const [stored] = await harness.records();
  if (stored) {
    await updateRecord(harness.services, stored, (record) =>
      requestCancellation(record, harness.clock.now()),
    );
  }
}

export const eventKinds = (harness: Harness): string[] =>
  harness.publisher.published.map(
    ({ message }) => `${message.attributes['kind']} ${message.attributes['state']}`,
  );

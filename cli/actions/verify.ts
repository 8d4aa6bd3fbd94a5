import { type DeliveryState, deliveryStates } from '../../shared/model/delivery.ts';
import type { ExportRecord } from '../../shared/model/record.ts';
import { verifyAgain } from '../../shared/record/delivery.ts';
import { updateRecord } from '../../shared/records.ts';
import type { Services } from '../../shared/services.ts';
import type { Stored } from '../../shared/store/store.ts';
import { wrongInput } from '../cli-error.ts';
import type { Cli } from '../cli.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { writeJson } from '../output.ts';
import { readRecords } from '../records.ts';
import { isBatch, notFound, recordOf, requireTarget } from '../targets.ts';
import { plural } from '../text.ts';

export interface VerifyOptions {
  readonly batch?: string;
  readonly delivery?: readonly DeliveryState[];
}

/** By default, several jobs are selected only if their video is not verified. */
const notVerified = deliveryStates.filter((state) => state !== 'VERIFIED');

const skips = {
  NOT_SUCCEEDED: 'the job has not succeeded',
  DRIVE: 'the service cannot read Drive',
} as const;
type Skip = keyof typeof skips;

/** Makes deliveries due: the next poll looks at each video as if its job had just succeeded. */
export async function verify(cli: Cli, ids: readonly string[], options: VerifyOptions): Promise<ExitCode> {
  const { batch, delivery } = options;
  if (ids.length > 0 ? batch !== undefined || delivery !== undefined : !batch && !delivery) {
    throw wrongInput(
      'ARGUMENTS_WRONG',
      'Give record ids, job keys, or batches; or --batch, --delivery, or both.',
    );
  }
  const services = await cli.services();
  const skipped: Partial<Record<Skip, number>> = {};
  let jobs = 0;
  for await (const stored of selected(cli, ids, options)) {
    const skip = await verifyOne(services, stored);
    if (skip === undefined) {
      jobs += 1;
    } else {
      skipped[skip] = (skipped[skip] ?? 0) + 1;
    }
  }
  if (cli.json) {
    writeJson(cli, { jobs, skipped });
    return exitCodes.DONE;
  }
  if (!cli.isQuiet) {
    cli.terminal.out(`The next poll checks ${plural(jobs, 'video')}.`);
    for (const [skip, count] of Object.entries(skipped) as [Skip, number][]) {
      cli.terminal.out(`Left out, because ${skips[skip]}: ${count}`);
    }
  }
  return exitCodes.DONE;
}

async function* selected(
  cli: Cli,
  ids: readonly string[],
  { batch, delivery = notVerified }: VerifyOptions,
): AsyncGenerator<Stored<ExportRecord>> {
  if (batch !== undefined && !(await isBatch(cli, batch))) {
    throw await notFound(cli, batch, 'no batch');
  }
  // Resolves all IDs first: if one is wrong, nothing is changed.
  const targets = await Promise.all(ids.map((id) => requireTarget(cli, id)));
  const records = targets.map(recordOf).filter((record) => record !== undefined);
  const batches = targets.filter(({ kind }) => kind === 'BATCH').map(({ id }) => id);
  yield* records;
  const filters =
    ids.length > 0
      ? batches.map((id) => ({ batch: id, delivery }))
      : [{ ...(batch === undefined ? {} : { batch }), delivery }];
  for (const filter of filters) {
    for await (const { stored } of readRecords(cli, filter)) {
      if (stored) {
        yield stored;
      }
    }
  }
}

/** @returns why the video cannot be checked; undefined if it is due now */
async function verifyOne(services: Services, stored: Stored<ExportRecord>): Promise<Skip | undefined> {
  const { value } = stored;
  if (value.state !== 'SUCCEEDED') {
    return 'NOT_SUCCEEDED';
  }
  if (!value.destination.startsWith('gs://')) {
    return 'DRIVE';
  }
  await updateRecord(services, stored, (record) =>
    record.state === 'SUCCEEDED' ? verifyAgain(record, services.clock.now()) : undefined,
  );
  return undefined;
}

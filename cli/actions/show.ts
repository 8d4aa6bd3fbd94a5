import type { RejectedMessage } from '../../shared/model/rejected-message.ts';
import type { ExportRecord } from '../../shared/model/record.ts';
import { earlierAttemptIds, nextAttemptId } from '../../shared/model/ids.ts';
import { isReadable, type Stored } from '../../shared/store/store.ts';
import { wrongInput } from '../cli-error.ts';
import type { Cli } from '../cli.ts';
import { writeJson } from '../output.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { readable } from '../records.ts';
import { showBatch } from '../show/batch.ts';
import { type Field, writeFields } from '../show/field.ts';
import { estimateOf, writeRecord } from '../show/record.ts';
import { findTarget, isDocumentId, notFound, recordOf, type Target } from '../targets.ts';
import { paint } from '../terminal.ts';
import { time } from '../text.ts';

export interface ShowOptions {
  readonly request?: boolean;
  readonly code?: boolean;
}

export async function show(cli: Cli, id: string, { request, code }: ShowOptions): Promise<ExitCode> {
  if (code && !request) {
    throw wrongInput('ARGUMENTS_WRONG', '--code needs --request: it prints the expression of the request.');
  }
  const target = await findTarget(cli, id);
  const record = target && recordOf(target);
  if (request) {
    await showRequest(cli, id, record, code);
  } else if (target && record) {
    await showRecord(cli, target, record);
  } else if (target) {
    await showBatch(cli, target.id);
  } else {
    await showRejected(cli, id);
  }
  return exitCodes.DONE;
}

async function showRequest(
  cli: Cli,
  id: string,
  record: Stored<ExportRecord> | undefined,
  asCode = false,
): Promise<void> {
  if (!record) {
    throw wrongInput(
      'ARGUMENTS_WRONG',
      `Only a job has a request. Give a record id or a job key, not ${id}.`,
    );
  }
  const { records } = await cli.store();
  const bytes = await records.readRequest(record.id);
  const json: unknown = JSON.parse(new TextDecoder().decode(bytes));
  if (asCode) {
    const { showCode } = await import('./check.ts');
    showCode(cli, json);
    return;
  }
  cli.terminal.out(cli.json ? JSON.stringify(json) : JSON.stringify(json, undefined, 2));
}

async function showRecord(cli: Cli, target: Target, record: Stored<ExportRecord>): Promise<void> {
  if (cli.json) {
    const { value } = record;
    const estimate = value.state === 'WAITING' ? (await estimateOf(cli, value)).json : undefined;
    writeJson(cli, { id: record.id, ...value, estimate });
    return;
  }
  const attempts = target.kind === 'JOB' ? target.attempts : await neighbors(cli, record);
  await writeRecord(cli, record, attempts);
}

/** The earlier attempts, and the next one. */
async function neighbors(cli: Cli, { id, value }: Stored<ExportRecord>): Promise<Stored<ExportRecord>[]> {
  const { records } = await cli.store();
  const next = nextAttemptId(id, value.attempt);
  const ids = [...earlierAttemptIds(id, value.attempt), ...(next === undefined ? [] : [next])];
  return (await records.getMany(ids)).filter(isReadable);
}

async function showRejected(cli: Cli, id: string): Promise<void> {
  const { rejectedMessages } = await cli.store();
  const rejected = isDocumentId(id) ? readable(await rejectedMessages.get(id)) : undefined;
  if (!rejected) {
    throw await notFound(cli, id, 'no record, job key, batch, or rejected message');
  }
  if (cli.json) {
    writeJson(cli, { id: rejected.id, ...rejected.value });
  } else {
    writeRejected(cli, rejected);
  }
}

function writeRejected(cli: Cli, { id, value }: Stored<RejectedMessage>): void {
  cli.terminal.out(paint(cli.terminal, 'red', `Rejected message ${id}: ${value.reason}`));
  writeFields(cli, [
    ['at', `${time(value.createdAt)} UTC, by ${value.source}`],
    ['record', value.recordId],
    ['batch', value.batchId],
    ['replayed', value.replayedAt && `${time(value.replayedAt)} UTC`],
    ...value.issues.map(({ path, message }): Field => ['issue', `${path}: ${message}`]),
    ['then', thenOf(id, value)],
  ]);
}

/** What ends it: the sender corrects the message, or the same message is published again. */
const thenOf = (id: string, { reason }: RejectedMessage): string =>
  reason === 'DEAD_LETTER'
    ? `When the cause is gone: npx ee-video-exports dead-letters replay ${id}`
    : `Correct the message and submit it. If a setting was wrong: npx ee-video-exports dead-letters replay ${id} --reason ${reason}`;

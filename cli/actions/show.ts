import type { RejectedMessage } from '../../shared/model/rejected-message.ts';
import type { ExportRecord } from '../../shared/model/record.ts';
import type { Stored } from '../../shared/store/store.ts';
import { CliError } from '../cli-error.ts';
import { type Cli, writeJson } from '../cli.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { findRecord, readable } from '../records.ts';
import { wrap } from '../screen.ts';
import { paint, paintState } from '../terminal.ts';
import { costOf } from '../cost.ts';
import { age, percent, printable, progressOf, time, waitingWords } from '../text.ts';

export interface ShowOptions {
  readonly request?: boolean;
}

export async function show(cli: Cli, id: string, { request }: ShowOptions): Promise<ExitCode> {
  const record = await findRecord(cli, id);
  if (record && request) {
    const { records } = await cli.store();
    const bytes = await records.readRequest(record.id);
    const json: unknown = JSON.parse(new TextDecoder().decode(bytes));
    cli.terminal.out(cli.json ? JSON.stringify(json) : JSON.stringify(json, undefined, 2));
    return exitCodes.DONE;
  }
  if (record) {
    if (cli.json) {
      writeJson(cli, { id: record.id, ...record.value });
    } else {
      writeRecord(cli, record);
    }
    return exitCodes.DONE;
  }
  const rejected = await findRejected(cli, id);
  if (!rejected) {
    throw new CliError(
      'NOT_FOUND',
      `Nothing found for ${printable(id)}: no record, job key or rejected message. To see what exists, run list; a new message takes a few seconds to become a record.`,
    );
  }
  if (cli.json) {
    writeJson(cli, { id: rejected.id, ...rejected.value });
  } else {
    writeRejected(cli, rejected);
  }
  return exitCodes.DONE;
}

async function findRejected(cli: Cli, id: string): Promise<Stored<RejectedMessage> | undefined> {
  // A document id cannot contain a slash.
  if (id.includes('/')) {
    return undefined;
  }
  const { rejectedMessages } = await cli.store();
  return readable(await rejectedMessages.get(id));
}

function writeRecord(cli: Cli, { id, value }: Stored<ExportRecord>): void {
  const { terminal } = cli;
  const now = cli.clock.now();
  const progress = value.state === 'SUCCEEDED' ? undefined : progressOf(value);
  const heading = `${value.state}${progress === undefined ? '' : ` ${percent(progress)}`}  ${id}`;
  terminal.out(paintState(terminal, heading, value.state));
  for (const [name, text] of fieldsOf(value, now)) {
    if (text !== undefined) {
      writeField(cli, name, String(text));
    }
  }
  terminal.out(`\n${paint(terminal, 'bold', 'History (UTC)')}`);
  for (const { state, at, note } of value.history) {
    const start = `  ${time(at)}  ${state.padEnd(10)}  `;
    const lines = note === undefined ? [''] : wrap(printable(note), '', width(cli) - start.length);
    for (const [index, text] of lines.entries()) {
      terminal.out(`${index === 0 ? start : ' '.repeat(start.length)}${text}`.trimEnd());
    }
  }
}

function fieldsOf(value: ExportRecord, now: Date): [name: string, text: string | number | undefined][] {
  const labels = Object.entries(value.labels).map(([name, text]) => `${name}=${text}`);
  return [
    ['job key', value.jobKey],
    ['attempt', value.attempt > 1 ? value.attempt : undefined],
    ['retry of', value.retryOf],
    ['batch', value.batchId],
    ['labels', labels.join(' ') || undefined],
    ['project', value.project],
    ['destination', value.destination],
    ['priority', value.priority],
    ['operation', 'operation' in value ? value.operation : undefined],
    ['waits', value.state === 'WAITING' ? waitingText(value, now) : undefined],
    ['stage', 'stage' in value && !('finishedAt' in value) ? value.stage : undefined],
    [
      'stalled',
      'stalledSince' in value && value.stalledSince ? `for ${age(value.stalledSince, now)}` : undefined,
    ],
    ['error', errorText(value)],
    ['advice', 'error' in value ? value.error?.advice : undefined],
    ['EECU', costOf(value)],
    ...(value.state === 'SUCCEEDED' ? value.outputUris.map((uri): [string, string] => ['output', uri]) : []),
    ...(value.extraOperations ?? []).map(({ operation }): [string, string] => ['extra', operation]),
  ];
}

function waitingText(record: Extract<ExportRecord, { state: 'WAITING' }>, now: Date): string {
  const next = record.dueAt > now ? `, next check in ${age(now, record.dueAt)}` : '';
  return `for ${waitingWords[record.waitingFor]}${next}`;
}

function errorText(record: ExportRecord): string | undefined {
  if (!('error' in record) || !record.error) {
    return undefined;
  }
  const { status, message } = record.error;
  return `${status}: ${message}`;
}

function writeRejected(cli: Cli, { id, value }: Stored<RejectedMessage>): void {
  const { terminal } = cli;
  terminal.out(paint(terminal, 'red', `Rejected message ${id}: ${value.reason}`));
  writeField(cli, 'at', `${time(value.createdAt)} UTC, by ${value.source}`);
  if (value.recordId !== undefined) {
    writeField(cli, 'record', value.recordId);
  }
  if (value.batchId !== undefined) {
    writeField(cli, 'batch', value.batchId);
  }
  if (value.replayedAt) {
    writeField(cli, 'replayed', `${time(value.replayedAt)} UTC`);
  }
  for (const { path, message } of value.issues) {
    writeField(cli, 'issue', `${path}: ${message}`);
  }
}

const NAME_WIDTH = 13;
const width = ({ terminal }: Cli): number => Math.max(40, terminal.columns);

function writeField(cli: Cli, name: string, text: string): void {
  const lines = wrap(printable(text), '', width(cli) - NAME_WIDTH - 2);
  for (const [index, part] of lines.entries()) {
    cli.terminal.out(`  ${(index === 0 ? name : '').padEnd(NAME_WIDTH)}${part}`.trimEnd());
  }
}

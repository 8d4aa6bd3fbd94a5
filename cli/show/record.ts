import { type ExportRecord, isActive, isTerminal, type RecordIn } from '../../shared/model/record.ts';
import { recordQueries } from '../../shared/store/queries.ts';
import { isReadable, type Stored } from '../../shared/store/store.ts';
import type { Cli } from '../cli.ts';
import { costOf } from '../cost.ts';
import { estimatorOf, readEstimate } from '../estimate.ts';
import { wrap } from '../screen.ts';
import { paint, paintState } from '../terminal.ts';
import { age, duration, nameOf, percent, printable, progressOf, time } from '../text.ts';
import { type Field, widthOf, writeFields } from './field.ts';
import { type Circumstances, waitingFields } from './waiting.ts';

/** One attempt at a job, for people. @param attempts all attempts at its job, in any order */
export async function writeRecord(
  cli: Cli,
  { id, value }: Stored<ExportRecord>,
  attempts: readonly Stored<ExportRecord>[],
): Promise<void> {
  const { terminal } = cli;
  const now = cli.clock.now();
  const progress = isTerminal(value) ? undefined : progressOf(value);
  const heading = `${value.state}${progress === undefined ? '' : ` ${percent(progress)}`}  ${nameOf(id, value)}`;
  terminal.out(paintState(terminal, printable(heading), value.state));
  writeFields(cli, [
    ['record', id],
    ...(value.state === 'WAITING'
      ? [
          ...waitingFields(value, await circumstancesOf(cli, value.project, now)),
          ...(await estimateOf(cli, value)).texts.map((text): Field => ['will cost', text]),
        ]
      : []),
    ...endingFields(value),
    ...activeFields(value, now),
    ...durationFields(value, now),
    ...identityFields(value),
    ...otherAttempts(id, attempts, now),
    ...(value.extraOperations ?? []).map(({ operation }): Field => ['extra', operation]),
  ]);
  writeHistory(cli, value);
}

export const estimateOf = async (cli: Cli, { project, shapeHash, extent }: ExportRecord) =>
  readEstimate(await estimatorOf(cli), { project, shapeHash, count: 1, extents: [extent] });

async function circumstancesOf(cli: Cli, projectId: string, now: Date): Promise<Circumstances> {
  const { projects, records } = await cli.store();
  const [config, project, queued] = await Promise.all([
    cli.serviceConfig(),
    projects.get(projectId),
    records.count(recordQueries.queued(projectId)),
  ]);
  return { now, config, project: project && isReadable(project) ? project.value : undefined, queued };
}

function endingFields(value: ExportRecord): Field[] {
  const error = 'error' in value && isTerminal(value) ? value.error : undefined;
  return [
    ['error', error && `${error.status}: ${error.message}`],
    ['advice', error?.advice],
    ...(value.findings ?? []).map(({ severity, code, message }): Field => [
      severity.toLowerCase(),
      `${code}: ${message}`,
    ]),
    ...(value.state === 'SUCCEEDED' ? value.outputUris.map((uri): Field => ['output', uri]) : []),
    ...(value.state === 'SUCCEEDED' ? deliveryFields(value) : []),
  ];
}

function deliveryFields({ delivery, deliveredTo, deliverTo }: RecordIn<'SUCCEEDED'>): Field[] {
  if (!delivery) {
    return [];
  }
  const { object, frames, framesPerSecond, width, height, durationSeconds, codec, bytes } = delivery;
  const video =
    frames === undefined
      ? undefined
      : `${frames} frames, ${framesPerSecond ?? '?'}/s, ${durationSeconds} s, ${width}×${height}, ${codec}, ${bytes} bytes`;
  return [
    ['delivery', delivery.state],
    ['file', object],
    ['video', video],
    ['copy', deliveredTo ?? deliverTo],
    ...delivery.problems.map(({ code, message }): Field => ['problem', `${code}: ${message}`]),
  ];
}

function activeFields(value: ExportRecord, now: Date): Field[] {
  if (!isActive(value)) {
    return [];
  }
  return [
    ['stage', value.stage],
    [
      'stalled',
      value.stalledSince && `no sign of life for ${age(value.stalledSince, now)}; cancel it, then retry it`,
    ],
    ['next check', `${time(value.dueAt)} UTC at the latest; each poll reads what changed`],
  ];
}

/** How long the parts of its life took. */
function durationFields(value: ExportRecord, now: Date): Field[] {
  const { createdAt } = value;
  const submittedAt = 'operation' in value ? value.submittedAt : undefined;
  const startedAt = 'startedAt' in value ? value.startedAt : undefined;
  const endedAt = isTerminal(value) ? value.finishedAt : now;
  const parts = [
    ['waited', createdAt, submittedAt ?? endedAt],
    ['in the queue of Earth Engine', submittedAt, startedAt ?? (submittedAt && endedAt)],
    ['rendering', startedAt, endedAt],
  ] as const;
  const texts = parts.flatMap(([what, from, to]) =>
    from && to ? [`${duration(to.getTime() - from.getTime())} ${what}`] : [],
  );
  return [['took', texts.join(', ')]];
}

function identityFields(value: ExportRecord): Field[] {
  const labels = Object.entries(value.labels).map(([name, text]) => `${name}=${text}`);
  return [
    ['batch', [value.batchId, ...(value.alsoBatches ?? [])].filter(Boolean).join(', ')],
    ['labels', labels.join(' ')],
    ['project', value.project],
    ['destination', value.destination],
    ['priority', String(value.priority)],
    ['operation', 'operation' in value ? value.operation : undefined],
    ['account', value.serviceAccount],
    ['EECU', costOf(value)],
  ];
}

function otherAttempts(id: string, attempts: readonly Stored<ExportRecord>[], now: Date): Field[] {
  return attempts
    .filter((attempt) => attempt.id !== id)
    .toSorted((a, b) => a.value.attempt - b.value.attempt)
    .map(({ id: other, value }): Field => {
      const reason = 'error' in value && value.error ? `: ${value.error.message}` : '';
      return [
        `attempt ${value.attempt}`,
        `${value.state} ${age(value.updatedAt, now)} ago  ${other}${reason}`,
      ];
    });
}

const NARROWEST_NOTE = 30;

function writeHistory(cli: Cli, { history }: ExportRecord): void {
  const { terminal } = cli;
  terminal.out(`\n${paint(terminal, 'bold', 'History (UTC)')}`);
  for (const [index, { state, at, note }] of history.entries()) {
    const next = history[index + 1];
    const lasted = next ? duration(next.at.getTime() - at.getTime()) : '';
    const start = `  ${time(at)}  ${state.padEnd(10)}  ${lasted.padEnd(6)}  `;
    const room = widthOf(cli) - start.length;
    // On a narrow terminal, a note stands below its state.
    const isBelow = room < NARROWEST_NOTE;
    const indent = isBelow ? '    ' : ' '.repeat(start.length);
    const lines = note === undefined ? [] : wrap(printable(note), '', widthOf(cli) - indent.length);
    const [first = '', ...more] = isBelow ? ['', ...lines] : lines;
    for (const line of [`${start}${first}`, ...more.map((text) => `${indent}${text}`)]) {
      terminal.out(line.trimEnd());
    }
  }
}

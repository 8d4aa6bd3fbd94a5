import { styleText } from 'node:util';

import type { ExportRecord, RecordState } from '../../shared/model/record.ts';
import { bar, fit } from '../../cli/screen.ts';

/** What is shown of a record while it moves. */
export interface Shown {
  readonly id: string;
  readonly record: ExportRecord;
}

export interface LiveView {
  show(records: readonly Shown[]): void;
}

type Output = Pick<NodeJS.WriteStream, 'write' | 'isTTY'>;

/** On a terminal, one line per job that is drawn again; else a plain line for everything that happens to one. */
export function createLiveView(output: Output): LiveView {
  return output.isTTY ? createScreen(output) : createLines(output);
}

function createScreen(output: Output): LiveView {
  let drawn = 0;
  return {
    show(records) {
      const lines = records.map(({ id, record }) => {
        const progress = progressOf(record);
        const figures = progress === undefined ? '' : `${bar(progress, 20)} ${percent(progress).padStart(5)}`;
        const line = fit(`  ${nameOf(id, record).padEnd(30)}  ${record.state.padEnd(10)}  ${figures}`);
        return line.replace(record.state, colour(record.state));
      });
      const up = drawn > 0 ? `\u001B[${drawn}A` : '';
      output.write(`${up}${lines.map((line) => `\u001B[2K${line}\n`).join('')}`);
      drawn = lines.length;
    },
  };
}

function createLines(output: Output): LiveView {
  const told = new Map<string, number>();
  return {
    show(records) {
      const news = records.flatMap(({ id, record }) => {
        const entries = record.history.slice(told.get(id) ?? 0);
        told.set(id, record.history.length);
        return entries.map((entry) => ({ entry, name: nameOf(id, record) }));
      });
      for (const { entry, name } of news.sort((a, b) => a.entry.at.getTime() - b.entry.at.getTime())) {
        const time = entry.at.toISOString().slice(11, 23);
        output.write(
          `${fit(`  ${time}  ${name.padEnd(30)}  ${entry.state.padEnd(10)}  ${entry.note ?? ''}`)}\n`,
        );
      }
    },
  };
}

export const nameOf = (id: string, { jobKey }: ExportRecord): string => jobKey ?? id;

function progressOf(record: ExportRecord): number | undefined {
  if (record.state === 'SUCCEEDED') {
    return 1;
  }
  return 'progress' in record ? record.progress : undefined;
}

const percent = (fraction: number): string => `${Math.round(fraction * 100)} %`;

function colour(state: RecordState): string {
  switch (state) {
    case 'SUCCEEDED':
      return styleText('green', state);
    case 'FAILED':
    case 'REJECTED':
    case 'LOST':
    case 'CANCELLED':
      return styleText('red', state);
    case 'RUNNING':
      return styleText('cyan', state);
    case 'SUBMITTING':
    case 'WAITING':
    case 'PENDING':
    case 'CANCELLING':
      return styleText('yellow', state);
  }
}

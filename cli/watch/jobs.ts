import { type ExportRecord, isActive, isTerminal } from '../../shared/model/record.ts';
import { isReadable } from '../../shared/store/store.ts';
import type { Cli } from '../cli.ts';
import { writeJson } from '../output.ts';
import { readRestrictions } from '../restrictions.ts';
import { bar, fit, shorten } from '../screen.ts';
import { paintState, type Terminal } from '../terminal.ts';
import { detailOf, nameOf, percent, printable, progressOf } from '../text.ts';
import { createFrame } from './frame.ts';
import { linesView, silentView, type View, type Watching } from './watching.ts';

/** A job to follow: by its record, or by the message that was just published. */
export interface WatchedJob {
  readonly recordId: string;
  readonly name?: string;
  /** The message that was published for the job, and the hash of its content. */
  readonly messageId?: string;
  readonly contentHash?: string;
}

export interface JobStatus {
  readonly recordId: string;
  readonly name: string;
  /** The record's state; `PUBLISHED` before there is a record, `REFUSED` if the service rejected the message. */
  readonly state: string;
  readonly progress: number | undefined;
  readonly detail: string;
  readonly hasEnded: boolean;
  readonly record: ExportRecord | undefined;
}

type JobsView = View<readonly JobStatus[]>;

export function watchingJobs(cli: Cli, jobs: readonly WatchedJob[]): Watching<readonly JobStatus[]> {
  return {
    read: () => readJobs(cli, jobs),
    endOf: (statuses) => {
      if (!statuses.every(({ hasEnded }) => hasEnded)) {
        return undefined;
      }
      return statuses.every(({ state }) => state === 'SUCCEEDED') ? 'SUCCEEDED' : 'FAILED';
    },
    view: viewOf(cli, jobs),
    resumeCommand: `npx ee-video-exports watch ${jobs.map(({ recordId }) => recordId).join(' ')}`,
  };
}

function viewOf(cli: Cli, jobs: readonly WatchedJob[]): JobsView {
  if (cli.json) {
    return linesView(cli, jsonLines(cli));
  }
  if (cli.isQuiet) {
    return silentView;
  }
  return cli.terminal.isInteractive ? bars(cli) : linesView(cli, plainLines(cli, jobs));
}

async function readJobs(cli: Cli, jobs: readonly WatchedJob[]): Promise<JobStatus[]> {
  const { records, rejectedMessages } = await cli.store();
  const found = await records.getMany([...new Set(jobs.map(({ recordId }) => recordId))]);
  const byId = new Map(found.filter(isReadable).map(({ id, value }) => [id, value]));
  const unreadable = new Set(found.filter((each) => !isReadable(each)).map(({ id }) => id));
  const messageIds = jobs
    .filter(({ recordId }) => !byId.has(recordId))
    .flatMap(({ messageId }) => messageId ?? []);
  const restricted = new Set((await readRestrictions(cli)).map(({ project }) => project));
  const rejected = messageIds.length > 0 ? await rejectedMessages.getMany(messageIds) : [];
  const reasons = new Map(
    rejected
      .filter(isReadable)
      .map(({ id, value }) => [id, `${value.reason}: ${issueText(value.issues[0])}`]),
  );

  return jobs.map((job) => {
    const { recordId, messageId = '' } = job;
    const record = byId.get(recordId);
    if (record) {
      return statusOf(job, record, restricted);
    }
    const reason = reasons.get(messageId);
    if (reason !== undefined) {
      return refused(job, printable(reason));
    }
    return unreadable.has(recordId)
      ? refused(job, 'its record cannot be read; fix or delete it manually')
      : { ...withoutRecord(job), state: 'PUBLISHED', detail: '', hasEnded: false };
  });
}

function statusOf(job: WatchedJob, record: ExportRecord, restricted: ReadonlySet<string>): JobStatus {
  const { recordId, name = nameOf(recordId, record) } = job;
  if (isOtherJob(record, job)) {
    return refused({ ...job, name }, `another job has this key: ${recordId} (to see it, use show)`);
  }
  return {
    recordId,
    name,
    state: record.state,
    progress: progressOf(record),
    detail: printable(
      [detailOf(record), adviceOf(record), restrictionOf(record, restricted)].filter(Boolean).join(' '),
    ),
    hasEnded: isTerminal(record),
    record,
  };
}

const adviceOf = (record: ExportRecord): string | undefined =>
  'error' in record && isTerminal(record) ? record.error?.advice : undefined;

const restrictionOf = (record: ExportRecord, restricted: ReadonlySet<string>): string | undefined =>
  isActive(record) && restricted.has(record.project) ? '(restricted by Earth Engine)' : undefined;

const withoutRecord = ({ recordId, name = recordId }: WatchedJob) =>
  ({ recordId, name, progress: undefined, record: undefined }) as const;

const refused = (job: WatchedJob, detail: string): JobStatus => ({
  ...withoutRecord(job),
  state: 'REFUSED',
  detail,
  hasEnded: true,
});

/** Whether a job with other content already has the key, so that the service rejects this message. */
const isOtherJob = (record: ExportRecord, { contentHash }: WatchedJob): boolean =>
  contentHash !== undefined && record.contentHash !== undefined && record.contentHash !== contentHash;

const issueText = (issue: { path: string; message: string } | undefined): string =>
  issue ? `${issue.path}: ${issue.message}` : '';

const STATE_WIDTH = 10;
const PERCENT_WIDTH = 4;
/** Below this width, the names of jobs need the room of the bars. */
const NARROW = 60;
const LONGEST_NAME = 60;

/** One line per job, drawn again after every read; at the end, the outcomes below. */
function bars({ terminal }: Cli): JobsView {
  const frame = createFrame(terminal);
  return {
    notice: (text) => frame.notice(text),
    show(statuses, isLast) {
      const shown = isLast ? statuses : pick(statuses, terminal);
      const barWidth = terminal.columns < NARROW ? 0 : 16;
      const figuresWidth = (barWidth > 0 ? barWidth + 1 : 0) + PERCENT_WIDTH;
      const room = terminal.columns - STATE_WIDTH - figuresWidth - 4;
      const nameWidth = Math.min(LONGEST_NAME, room, Math.max(...shown.map(({ name }) => name.length)));
      const lines = shown.map((status) => {
        const name = shorten(status.name, nameWidth).padEnd(nameWidth);
        const detail = status.hasEnded ? '' : status.detail;
        const text = `${status.state.padEnd(STATE_WIDTH)}  ${name}  ${figuresOf(status, barWidth).padEnd(figuresWidth)}  ${detail}`;
        return paintState(terminal, fit(text, terminal.columns), status.state);
      });
      if (shown.length < statuses.length) {
        lines.push(summary(statuses, statuses.length - shown.length));
      }
      frame.draw(lines);
      if (!isLast) {
        return;
      }
      for (const { name, state, detail } of statuses) {
        if (detail) {
          terminal.out(`${name}\n  ${paintState(terminal, detail, state)}`);
        }
      }
    },
  };
}

/** Of a job that ended without success, nothing: its last progress would look like success. */
function figuresOf({ state, progress, hasEnded }: JobStatus, barWidth: number): string {
  if (progress === undefined || (hasEnded && state !== 'SUCCEEDED')) {
    return '';
  }
  const drawn = barWidth > 0 ? `${bar(progress, barWidth)} ` : '';
  return `${drawn}${percent(progress).padStart(PERCENT_WIDTH)}`;
}

/** As many as fit on the screen: running jobs first, ended jobs last. */
function pick(statuses: readonly JobStatus[], terminal: Terminal): readonly JobStatus[] {
  const room = Math.max(5, terminal.rows - 3);
  if (statuses.length <= room) {
    return statuses;
  }
  const rank = ({ state, hasEnded }: JobStatus) => (hasEnded ? 2 : Number(state !== 'RUNNING'));
  return statuses.toSorted((a, b) => rank(a) - rank(b)).slice(0, room);
}

function summary(statuses: readonly JobStatus[], more: number): string {
  const ended = statuses.filter(({ hasEnded }) => hasEnded).length;
  return `… and ${more} more; ${ended} of ${statuses.length} have ended`;
}

/** What was last written about a job. */
interface Written {
  readonly state: string;
  readonly entries: number;
  readonly tenths: number;
}

interface Change {
  readonly at: Date;
  readonly state: string;
  readonly name: string;
  readonly detail: string;
}

/** One line per change: the states in the record's history, and every tenth of progress. */
function plainLines({ terminal, clock }: Cli, jobs: readonly WatchedJob[]): JobsView['show'] {
  const written = new Map<string, Written>();
  const published = new Set(jobs.flatMap(({ messageId }) => messageId ?? []));
  return (statuses) => {
    const now = clock.now();
    const changes = statuses.flatMap((status) => {
      const isNew = status.record !== undefined && published.has(status.record.messageId);
      return changesOf(status, written.get(status.recordId), isNew, now);
    });
    for (const { at, state, name, detail } of changes.sort((a, b) => a.at.getTime() - b.at.getTime())) {
      terminal.out(
        `${at.toISOString().slice(11, 19)}  ${state.padEnd(STATE_WIDTH)}  ${name}  ${detail}`.trimEnd(),
      );
    }
    for (const status of statuses) {
      written.set(status.recordId, {
        state: status.state,
        entries: status.record?.history.length ?? 0,
        tenths: tenthsOf(status),
      });
    }
  };
}

const tenthsOf = ({ progress = 0 }: JobStatus): number => Math.floor(progress * 10);

/** @param isNew whether the message that was just published created the record: then its whole history is written */
function changesOf(status: JobStatus, written: Written | undefined, isNew: boolean, now: Date): Change[] {
  const { state, name, detail, record } = status;
  if (state === written?.state) {
    const hasMoved = tenthsOf(status) > written.tenths && !status.hasEnded;
    return hasMoved ? [{ at: now, state, name, detail: `${percent(status.progress ?? 0)}  ${detail}` }] : [];
  }
  if (!record) {
    return [{ at: now, state, name, detail }];
  }
  const { history } = record;
  // A long history loses its middle, and with it the entry that was written last.
  const from = Math.min(written?.entries ?? (isNew ? 0 : Infinity), history.length - 1);
  const entries = history.slice(from);
  return entries.map(({ state, at, note = '' }, index) =>
    index === entries.length - 1
      ? { at, state: status.state, name, detail }
      : { at, state, name, detail: printable(note) },
  );
}

/** One JSON line per change of a job. */
function jsonLines(cli: Cli): JobsView['show'] {
  const written = new Map<string, string>();
  return (statuses) => {
    for (const { recordId, name, state, progress, detail, hasEnded } of statuses) {
      const text = JSON.stringify([state, progress, detail]);
      if (written.get(recordId) === text) {
        continue;
      }
      written.set(recordId, text);
      writeJson(cli, { at: cli.clock.now(), id: recordId, name, state, progress, detail, hasEnded });
    }
  };
}

import { type ExportRecord, isTerminal } from '../../shared/model/record.ts';
import { isReadable } from '../../shared/store/store.ts';
import { type Cli, writeJson } from '../cli.ts';
import { bar } from '../screen.ts';
import { paintState, type Terminal } from '../terminal.ts';
import { detailOf, line, nameOf, percent, printable, progressOf } from '../text.ts';
import { createFrame } from './frame.ts';
import type { Watching } from './watching.ts';

/** A job to follow, from its record or from the message that was just published. */
export interface WatchedJob {
  readonly recordId: string;
  readonly name?: string;
  /** The message that was published for it, and the content that it asks for. */
  readonly messageId?: string;
  readonly contentHash?: string;
}

/** What is known of one job. */
export interface JobLook {
  readonly recordId: string;
  readonly name: string;
  /** A record's state; `PUBLISHED` before there is one, `REFUSED` where the message never becomes one. */
  readonly state: string;
  readonly progress: number | undefined;
  readonly detail: string;
  readonly hasEnded: boolean;
  readonly record: ExportRecord | undefined;
}

export function watchingJobs(cli: Cli, jobs: readonly WatchedJob[]): Watching<readonly JobLook[]> {
  const show = cli.json ? jsonLines(cli) : cli.terminal.isInteractive ? bars(cli) : plainLines(cli, jobs);
  return {
    look: () => lookAtJobs(cli, jobs),
    endOf: (looks) => {
      if (!looks.every(({ hasEnded }) => hasEnded)) {
        return undefined;
      }
      return looks.every(({ state }) => state === 'SUCCEEDED') ? 'SUCCEEDED' : 'FAILED';
    },
    show,
    resumeCommand: `npx ee-video-exports watch ${jobs.map(({ recordId }) => recordId).join(' ')}`,
  };
}

async function lookAtJobs(cli: Cli, jobs: readonly WatchedJob[]): Promise<JobLook[]> {
  const { records, rejectedMessages } = await cli.store();
  const found = await records.getMany([...new Set(jobs.map(({ recordId }) => recordId))]);
  const byId = new Map(found.filter(isReadable).map(({ id, value }) => [id, value]));
  const unreadable = new Map(found.filter((each) => !isReadable(each)).map(({ id }) => [id, true]));
  const missing = jobs.filter(({ recordId }) => !byId.has(recordId));
  const messageIds = missing.flatMap(({ messageId }) => messageId ?? []);
  const rejected = messageIds.length > 0 ? await rejectedMessages.getMany(messageIds) : [];
  const issues = new Map(
    rejected
      .filter(isReadable)
      .map(({ id, value }) => [id, `${value.reason}: ${issueText(value.issues[0])}`]),
  );

  return jobs.map((job) => {
    const { recordId, messageId } = job;
    const record = byId.get(recordId);
    const name = job.name ?? (record ? nameOf(recordId, record) : recordId);
    const refused = (detail: string): JobLook => {
      return {
        recordId,
        name,
        state: 'REFUSED',
        progress: undefined,
        detail,
        hasEnded: true,
        record: undefined,
      };
    };
    if (record) {
      if (isOther(record, job)) {
        return refused(`another job has this key: ${recordId} (show prints it)`);
      }
      return {
        recordId,
        name,
        state: record.state,
        progress: progressOf(record),
        detail: printable(
          `${wasThere(record, job) ? 'there already, nothing new; ' : ''}${detailOf(record)}`,
        ),
        hasEnded: isTerminal(record),
        record,
      };
    }
    const issue = messageId === undefined ? undefined : issues.get(messageId);
    if (issue !== undefined) {
      return refused(printable(issue));
    }
    if (unreadable.has(recordId)) {
      return refused('its record cannot be read; mend or delete it by hand');
    }
    return { recordId, name, state: 'PUBLISHED', progress: undefined, detail: '', hasEnded: false, record };
  });
}

/** The job key was taken by a job of other content: the service refuses this message. */
const isOther = (record: ExportRecord, { contentHash }: WatchedJob): boolean =>
  contentHash !== undefined && record.contentHash !== undefined && record.contentHash !== contentHash;

/** It had ended before this message came, which then changed nothing: a message that made a record is named in it. */
const wasThere = (record: ExportRecord, { messageId }: WatchedJob): boolean =>
  messageId !== undefined && isTerminal(record) && record.messageId !== messageId;

const issueText = (issue: { path: string; message: string } | undefined): string =>
  issue ? `${issue.path}: ${issue.message}` : '';

const STATE_WIDTH = 10;
const NAME_WIDTH = 30;
const BAR_WIDTH = 16;

/** One line per job, drawn again with every look; what came of them below, at the end. */
function bars({ terminal }: Cli): Watching<readonly JobLook[]>['show'] {
  const frame = createFrame(terminal);
  return (looks, isLast) => {
    const shown = isLast ? looks : pick(looks, terminal);
    const nameWidth = Math.min(NAME_WIDTH, Math.max(...shown.map(({ name }) => name.length)));
    const lines = shown.map((look) => {
      const figures =
        look.progress === undefined
          ? ''.padEnd(BAR_WIDTH + 6)
          : `${bar(look.progress, BAR_WIDTH)} ${percent(look.progress).padStart(4)} `;
      const name = line(look.name, nameWidth).padEnd(nameWidth);
      const text = `${look.state.padEnd(STATE_WIDTH)}  ${name}  ${figures} ${look.hasEnded ? '' : look.detail}`;
      return paintState(terminal, line(text, terminal.columns), look.state);
    });
    if (shown.length < looks.length) {
      lines.push(summary(looks, looks.length - shown.length));
    }
    frame.draw(lines);
    if (!isLast) {
      return;
    }
    for (const { name, state, detail } of looks) {
      if (detail) {
        terminal.out(`${name}\n  ${paintState(terminal, detail, state)}`);
      }
    }
  };
}

/** As many as fit on a screen, those that move first. */
function pick(looks: readonly JobLook[], terminal: Terminal): readonly JobLook[] {
  const room = Math.max(5, terminal.rows - 3);
  if (looks.length <= room) {
    return looks;
  }
  const rank = ({ state, hasEnded }: JobLook) => (hasEnded ? 2 : Number(state !== 'RUNNING'));
  return looks.toSorted((a, b) => rank(a) - rank(b)).slice(0, room);
}

function summary(looks: readonly JobLook[], more: number): string {
  const ended = looks.filter(({ hasEnded }) => hasEnded).length;
  return `… and ${more} more; ${ended} of ${looks.length} have ended`;
}

/** What was told of a job. */
interface Told {
  readonly state: string;
  readonly entries: number;
  readonly tenths: number;
}

interface News {
  readonly at: Date;
  readonly state: string;
  readonly name: string;
  readonly detail: string;
}

/** A line for everything that happens: states as the record's history has them, and every tenth of progress. */
function plainLines(
  { terminal, clock }: Cli,
  jobs: readonly WatchedJob[],
): Watching<readonly JobLook[]>['show'] {
  const told = new Map<string, Told>();
  const published = new Set(jobs.flatMap(({ messageId }) => messageId ?? []));
  return (looks) => {
    const now = clock.now();
    const news = looks.flatMap((look) => {
      const isOurs = look.record !== undefined && published.has(look.record.messageId);
      return newsOf(look, told.get(look.recordId), isOurs, now);
    });
    for (const { at, state, name, detail } of news.sort((a, b) => a.at.getTime() - b.at.getTime())) {
      terminal.out(
        `${at.toISOString().slice(11, 19)}  ${state.padEnd(STATE_WIDTH)}  ${name}  ${detail}`.trimEnd(),
      );
    }
    for (const look of looks) {
      told.set(look.recordId, {
        state: look.state,
        entries: look.record?.history.length ?? 0,
        tenths: tenthsOf(look),
      });
    }
  };
}

const tenthsOf = ({ progress = 0 }: JobLook): number => Math.floor(progress * 10);

/** @param isOurs whether the record came of what was just published: then its whole history is news */
function newsOf(look: JobLook, told: Told | undefined, isOurs: boolean, now: Date): News[] {
  const { state, name, detail, record } = look;
  if (state === told?.state) {
    const moved = tenthsOf(look) > told.tenths && !look.hasEnded;
    return moved ? [{ at: now, state, name, detail: `${percent(look.progress ?? 0)}  ${detail}` }] : [];
  }
  if (!record) {
    return [{ at: now, state, name, detail }];
  }
  const { history } = record;
  // Bounded: of a long history the middle is gone, and so is the place that was told last.
  const from = Math.min(told?.entries ?? (isOurs ? 0 : Infinity), history.length - 1);
  const entries = history.slice(from);
  return entries.map(({ state, at, note = '' }, index) =>
    index === entries.length - 1
      ? { at, state: look.state, name, detail }
      : { at, state, name, detail: printable(note) },
  );
}

/** The same as JSON: a line for every change of a job. */
function jsonLines(cli: Cli): Watching<readonly JobLook[]>['show'] {
  const told = new Map<string, string>();
  return (looks) => {
    for (const { recordId, name, state, progress, detail, hasEnded } of looks) {
      const text = JSON.stringify([state, progress, detail]);
      if (told.get(recordId) === text) {
        continue;
      }
      told.set(recordId, text);
      writeJson(cli, { at: cli.clock.now(), id: recordId, name, state, progress, detail, hasEnded });
    }
  };
}

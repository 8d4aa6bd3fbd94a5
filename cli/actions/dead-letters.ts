import {
  type ReplayedMessage,
  replayKeptMessages,
  type ReplayResult,
} from '../../shared/dead-letters/replay.ts';
import type { RejectedMessage } from '../../shared/model/rejected-message.ts';
import { rejectedMessageListQueries } from '../../shared/store/list-queries.ts';
import { pages } from '../../shared/store/pages.ts';
import { isReadable, type Stored } from '../../shared/store/store.ts';
import { CliError } from '../cli-error.ts';
import type { Cli } from '../cli.ts';
import { note, writeJson, writeTable } from '../output.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { ageWord, plural, printable } from '../text.ts';

export interface DeadLetterFilter {
  readonly reason?: readonly string[];
}

export interface ListDeadLettersOptions extends DeadLetterFilter {
  readonly since?: Date;
  readonly limit: number;
}

const PAGE_SIZE = 100;

/** Every rejected message, of which dead letters are those with the reason DEAD_LETTER. */
export async function listDeadLetters(cli: Cli, options: ListDeadLettersOptions): Promise<ExitCode> {
  const messages = await readNewest(cli, options);
  if (cli.json) {
    writeJson(cli, { messages: messages.map(({ id, value }) => ({ id, ...value })) });
    return exitCodes.DONE;
  }
  if (messages.length === 0) {
    note(cli, 'No rejected messages.');
    return exitCodes.DONE;
  }
  const now = cli.clock.now();
  writeTable(cli, {
    header: ['REASON', 'AGE', 'MESSAGE', 'WHY'],
    rows: messages.map(({ id, value }) => [value.reason, ageWord(value.createdAt, now), id, whyOf(value)]),
    ids: messages.map(({ id }) => id),
    csv: {
      header: ['reason', 'createdAt', 'message', 'why', 'jobRecord', 'batch', 'replayedAt'],
      rows: messages.map(({ id, value }) => [
        value.reason,
        value.createdAt.toISOString(),
        id,
        whyOf(value),
        value.recordId ?? '',
        value.batchId ?? '',
        value.replayedAt?.toISOString() ?? '',
      ]),
    },
  });
  return exitCodes.DONE;
}

function whyOf({ issues, replayedAt }: RejectedMessage): string {
  const [first] = issues;
  const more = issues.length > 1 ? ` (and ${issues.length - 1} more)` : '';
  return `${replayedAt ? 'replayed; ' : ''}${first ? `${first.path}: ${first.message}` : ''}${more}`;
}

async function readNewest(
  cli: Cli,
  { reason, since, limit }: ListDeadLettersOptions,
): Promise<Stored<RejectedMessage>[]> {
  const { rejectedMessages } = await cli.store();
  const wanted: Stored<RejectedMessage>[] = [];
  for await (const page of pages(rejectedMessages, rejectedMessageListQueries.newest(since), PAGE_SIZE)) {
    wanted.push(...page.filter(isReadable).filter(({ value }) => !reason || reason.includes(value.reason)));
    if (wanted.length >= limit) {
      break;
    }
  }
  return wanted.slice(0, limit);
}

export interface ReplayCommandOptions extends DeadLetterFilter {
  readonly dryRun?: boolean;
}

const outcomeWords: Readonly<Record<ReplayedMessage['outcome'], string>> = {
  REPLAYED: 'published again',
  REPLAYED_BEFORE: 'was already published again',
  WOULD_REPLAY: 'would be published again',
  UNKNOWN_SOURCE: 'kept: its original topic is unknown; publish it manually',
  NOT_PUBLISHED: 'kept: its topic did not accept it; retry later',
  FAILED: 'kept: it could not be looked up or marked; retry later',
};

/** The outcomes that leave something to do. */
const keptOutcomes: ReadonlySet<ReplayedMessage['outcome']> = new Set([
  'NOT_PUBLISHED',
  'UNKNOWN_SOURCE',
  'FAILED',
]);

/** A replay of so many messages takes about ten seconds. */
const PROGRESS_EVERY = 100;

export async function replay(
  cli: Cli,
  messageIds: readonly string[],
  { reason, dryRun = false }: ReplayCommandOptions,
): Promise<ExitCode> {
  const { terminal } = cli;
  const [services, kept] = await Promise.all([cli.services(), cli.keptMessages()]);
  const result = await replayKeptMessages(services, kept, {
    dryRun,
    ...(messageIds.length > 0 && { messageIds }),
    ...(reason && { reasons: reason }),
    onProgress: (count) => {
      if (count % PROGRESS_EVERY === 0) {
        note(cli, `${plural(count, 'message')} so far`);
      }
    },
  });
  const { messages, isInterrupted } = result;
  const unknown = isInterrupted
    ? []
    : messageIds.filter((id) => !messages.some(({ messageId }) => messageId === id));
  if (cli.json) {
    writeJson(cli, result);
  } else if (messages.length > 0 || unknown.length === 0) {
    for (const { messageId, outcome, topic, recordId } of messages) {
      const to = [topic, recordId].filter(Boolean).join('  ');
      terminal.out(`${messageId}  ${outcomeWords[outcome]}  ${to}`.trimEnd());
    }
    note(cli, summaryOf(result, dryRun));
  }
  if (unknown.length > 0) {
    throw new CliError(
      'NOT_FOUND',
      `No message ${printable(unknown.join(', '))} is kept with the reason ${(reason ?? ['DEAD_LETTER']).join(' or ')}. To see ids and reasons (for --reason), run dead-letters list.`,
    );
  }
  if (isInterrupted) {
    return exitCodes.INTERRUPTED;
  }
  return messages.some(({ outcome }) => keptOutcomes.has(outcome)) ? exitCodes.FAILED : exitCodes.DONE;
}

function summaryOf({ messages, rejectedAgain, keptSince, isInterrupted }: ReplayResult, dryRun: boolean) {
  const parts = [`${isInterrupted ? 'Interrupted: ' : ''}${plural(messages.length, 'message')}`];
  if (dryRun) {
    parts.push('nothing was published');
  } else if (rejectedAgain > 0) {
    parts.push(`${rejectedAgain} rejected again so far, and kept again`);
  }
  if (keptSince > 0) {
    parts.push(`${keptSince} kept since the start, for another replay`);
  }
  return `${parts.join('; ')}.`;
}

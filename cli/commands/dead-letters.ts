import type { RejectedMessage } from '../../shared/model/rejected-message.ts';
import {
  keptSubscription,
  type ReplayedMessage,
  replayKeptMessages,
} from '../../shared/dead-letters/replay.ts';
import { rejectedMessageListQueries } from '../../shared/store/list-queries.ts';
import { cursorOf, isReadable, type Stored } from '../../shared/store/store.ts';
import { type Cli, writeJson } from '../cli.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { CliError } from '../cli-error.ts';
import { paint } from '../terminal.ts';
import { ageWord, columns, plural, printable } from '../text.ts';

export interface DeadLetterFilter {
  readonly reason?: readonly string[];
}

export interface ListDeadLettersOptions extends DeadLetterFilter {
  readonly since?: Date;
  readonly limit: number;
}

const PAGE_SIZE = 100;

export async function listDeadLetters(cli: Cli, options: ListDeadLettersOptions): Promise<ExitCode> {
  const { terminal } = cli;
  const messages = await readNewest(cli, options);
  if (cli.json) {
    writeJson(cli, { messages: messages.map(({ id, value }) => ({ id, ...value })) });
    return exitCodes.DONE;
  }
  if (messages.length === 0) {
    terminal.err('No rejected messages.');
    return exitCodes.DONE;
  }
  const now = cli.clock.now();
  const [title, ...rows] = columns(
    [
      ['REASON', 'AGE', 'MESSAGE', 'WHY'],
      ...messages.map(({ id, value }) => [value.reason, ageWord(value.createdAt, now), id, whyOf(value)]),
    ],
    terminal.columns,
  );
  terminal.out(paint(terminal, 'bold', title ?? ''));
  for (const row of rows) {
    terminal.out(row);
  }
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
  const query = rejectedMessageListQueries.newest(since);
  const wanted: Stored<RejectedMessage>[] = [];
  let after: readonly unknown[] | undefined;
  for (;;) {
    const page = await rejectedMessages.find(query, { limit: PAGE_SIZE, ...(after && { after }) });
    for (const found of page) {
      after = cursorOf(query, found);
      if (isReadable(found) && (!reason || reason.includes(found.value.reason))) {
        wanted.push(found);
      }
      if (wanted.length === limit) {
        return wanted;
      }
    }
    if (page.length < PAGE_SIZE) {
      return wanted;
    }
  }
}

export interface ReplayCommandOptions extends DeadLetterFilter {
  readonly dryRun?: boolean;
}

const outcomeWords: Readonly<Record<ReplayedMessage['outcome'], string>> = {
  REPLAYED: 'published again',
  REPLAYED_BEFORE: 'was published again before',
  WOULD_REPLAY: 'would be published again',
  UNKNOWN_SOURCE: 'kept: its topic cannot be told; publish it by hand',
  NOT_PUBLISHED: 'kept: its topic did not take it; try again',
  FAILED: 'kept: it could not be looked up or marked; the log says why',
};

export async function replay(
  cli: Cli,
  messageIds: readonly string[],
  { reason, dryRun = false }: ReplayCommandOptions,
): Promise<ExitCode> {
  const { terminal } = cli;
  const services = await cli.services();
  const { config } = services;
  const { createKeptMessages } = await import('../../shared/pubsub/kept-messages.ts');
  const kept = createKeptMessages({
    projectId: config.googleCloudProject,
    emulatorHost: config.pubsubEmulatorHost,
    subscription: keptSubscription(config.topics),
  });
  let results: ReplayedMessage[];
  try {
    results = await replayKeptMessages(services, kept, {
      dryRun,
      ...(messageIds.length > 0 && { messageIds }),
      ...(reason && { reasons: reason }),
    });
  } finally {
    await kept.close();
  }
  const unknown = messageIds.filter((id) => !results.some(({ messageId }) => messageId === id));
  if (cli.json) {
    writeJson(cli, { messages: results });
  } else if (results.length > 0 || unknown.length === 0) {
    for (const { messageId, outcome, topic, recordId } of results) {
      const to = [topic, recordId].filter(Boolean).join('  ');
      terminal.out(`${messageId}  ${outcomeWords[outcome]}  ${to}`.trimEnd());
    }
    terminal.err(`${plural(results.length, 'message')}${dryRun ? '; nothing was published' : ''}.`);
  }
  if (unknown.length > 0) {
    throw new CliError(
      'NOT_FOUND',
      `No message is kept as ${printable(unknown.join(', '))} with the reason ${(reason ?? ['DEAD_LETTER']).join(' or ')}; dead-letters list shows ids and reasons (--reason).`,
    );
  }
  const isKept = results.some(({ outcome }) =>
    ['NOT_PUBLISHED', 'UNKNOWN_SOURCE', 'FAILED'].includes(outcome),
  );
  return isKept ? exitCodes.FAILED : exitCodes.DONE;
}

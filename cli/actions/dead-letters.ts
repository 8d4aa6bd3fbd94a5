import {
  keptSubscription,
  type ReplayedMessage,
  replayKeptMessages,
} from '../../shared/dead-letters/replay.ts';
import type { RejectedMessage } from '../../shared/model/rejected-message.ts';
import { rejectedMessageListQueries } from '../../shared/store/list-queries.ts';
import { pages } from '../../shared/store/pages.ts';
import { isReadable, type Stored } from '../../shared/store/store.ts';
import { CliError } from '../cli-error.ts';
import { type Cli, writeJson } from '../cli.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { writeTable } from '../terminal.ts';
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
  writeTable(
    terminal,
    ['REASON', 'AGE', 'MESSAGE', 'WHY'],
    messages.map(({ id, value }) => [value.reason, ageWord(value.createdAt, now), id, whyOf(value)]),
  );
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

export async function replay(
  cli: Cli,
  messageIds: readonly string[],
  { reason, dryRun = false }: ReplayCommandOptions,
): Promise<ExitCode> {
  const { terminal } = cli;
  const results = await replayKept(cli, messageIds, { dryRun, ...(reason && { reason }) });
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
      `No message ${printable(unknown.join(', '))} is kept with the reason ${(reason ?? ['DEAD_LETTER']).join(' or ')}. To see ids and reasons (for --reason), run dead-letters list.`,
    );
  }
  return results.some(({ outcome }) => keptOutcomes.has(outcome)) ? exitCodes.FAILED : exitCodes.DONE;
}

async function replayKept(
  cli: Cli,
  messageIds: readonly string[],
  { reason, dryRun = false }: ReplayCommandOptions,
): Promise<ReplayedMessage[]> {
  const services = await cli.services();
  const { googleCloudProject, pubsubEmulatorHost, topics } = services.config;
  const { createKeptMessages } = await import('../../shared/pubsub/kept-messages.ts');
  const kept = createKeptMessages({
    projectId: googleCloudProject,
    emulatorHost: pubsubEmulatorHost,
    subscription: keptSubscription(topics),
  });
  try {
    return await replayKeptMessages(services, kept, {
      dryRun,
      ...(messageIds.length > 0 && { messageIds }),
      ...(reason && { reasons: reason }),
    });
  } finally {
    await kept.close();
  }
}

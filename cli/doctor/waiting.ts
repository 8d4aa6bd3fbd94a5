import { later, DAY_MS } from '../../shared/clock.ts';
import {
  type ExportRecord,
  isQueueReason,
  type WaitingRecord,
  waitingForSchema,
} from '../../shared/model/record.ts';
import { listQueries, rejectedMessageListQueries } from '../../shared/store/list-queries.ts';
import { isReadable, type Stored } from '../../shared/store/store.ts';
import type { Cli } from '../cli.ts';
import { missingPermission } from '../../shared/record/missing-permission.ts';
import { nameOf, plural, printable, waitingWords } from '../text.ts';
import { until } from '../show/waiting.ts';
import { type Finding, ok, problem } from './finding.ts';

/** What holds jobs up now: a check for each reason that jobs wait for, and for dead letters. */

export async function* checkWaiting(cli: Cli): AsyncGenerator<Finding> {
  const { records } = await cli.store();
  let waiting = 0;
  for (const reason of waitingForSchema.options) {
    const query = listQueries.waitingFor(reason);
    const [count, [first]] = await Promise.all([records.count(query), records.find(query, { limit: 1 })]);
    if (count > 0 && first && isReadable(first) && first.value.state === 'WAITING') {
      waiting += count;
      yield await findingOf(cli, count, first, first.value);
    }
  }
  if (waiting === 0) {
    yield ok('Waiting jobs', 'None');
  }
}

async function findingOf(
  cli: Cli,
  count: number,
  { id }: Stored<ExportRecord>,
  record: WaitingRecord,
): Promise<Finding> {
  const { waitingFor, project } = record;
  const check = 'Waiting jobs';
  const message = record.error ? `: ${printable(record.error.message)}` : '';
  const found = `${plural(count, 'job')} for ${waitingWords[waitingFor]}, such as ${printable(nameOf(id, record))}${message}`;
  switch (waitingFor) {
    // A budget holds jobs on purpose; its own command says which.
    case 'BUDGET':
      return ok(
        check,
        `${found}. Raise the limit of the budget ${record.heldBy}, or wait for its next month`,
      );
    // A full queue and a rate limit are normal in a large batch, and a search ends by itself.
    case 'QUEUE':
    case 'RATE':
    case 'ADOPTION':
      return ok(check, `${found}. ${await nextTry(cli, record)}`);
    case 'PERMISSION': {
      const missing = missingPermission(record, record.error?.message ?? '');
      return problem(
        check,
        'JOBS_WAIT_FOR_PERMISSION',
        missing ? `${plural(count, 'job')}: ${missing.why}` : found,
        `${missing?.fix ?? 'Grant it'}; then run npx ee-video-exports resume, or wait for the next try`,
      );
    }
    case 'QUOTA':
      return problem(
        check,
        'JOBS_WAIT_FOR_QUOTA',
        found,
        `Raise the EECU quota of ${project}, then run npx ee-video-exports resume ${project}; or wait for its reset`,
      );
    case 'SERVICE':
      return problem(
        check,
        'JOBS_WAIT_FOR_EARTH_ENGINE',
        found,
        'See https://status.earthengine.google.com. The service keeps trying; show prints the deadline',
      );
  }
}

async function nextTry(cli: Cli, { project, waitingFor, dueAt }: WaitingRecord): Promise<string> {
  const now = cli.clock.now();
  const { projects } = await cli.store();
  const status = await projects.get(project);
  const closedUntil = status && isReadable(status) ? status.value.closedUntil : undefined;
  const at = isQueueReason(waitingFor) ? closedUntil : dueAt;
  return at && at > now ? `Next try ${until(at, now)}` : 'The next poll tries them';
}

const RECENT_MS = 7 * DAY_MS;
const COMPARED = 100;

/** Messages that no function could handle; a replay publishes them again. */
export async function checkDeadLetters(cli: Cli): Promise<Finding> {
  const check = 'Dead letters';
  const { rejectedMessages } = await cli.store();
  const since = later(cli.clock.now(), -RECENT_MS);
  const found = await rejectedMessages.find(rejectedMessageListQueries.newest(since), { limit: COMPARED });
  const dead = found
    .filter(isReadable)
    .filter(({ value }) => value.reason === 'DEAD_LETTER' && !value.replayedAt);
  const [first] = dead;
  return first
    ? problem(
        check,
        'DEAD_LETTERS',
        `${plural(dead.length, 'message')} in the last 7 days, such as ${first.id}`,
        'Fix the cause (show MESSAGE_ID), then run npx ee-video-exports dead-letters replay',
      )
    : ok(check, 'None in the last 7 days');
}

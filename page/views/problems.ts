import { DAY_MS, later, MINUTE_MS } from '../../shared/clock.ts';
import type { ExportRecord, WaitingFor } from '../../shared/model/record.ts';
import { rejectedMessageListQueries } from '../../shared/store/list-queries.ts';
import { pageQueries } from '../../shared/store/page-queries.ts';
import { recordQueries } from '../../shared/store/queries.ts';
import { isReadable, type Found, type Store } from '../../shared/store/store.ts';
import { abbreviate } from '../../shared/text.ts';
import { command, logsOf } from './commands.ts';
import { exportPath, exportsPath } from './filter.ts';
import { iso, optional } from './row.ts';
import type { BudgetRow, OverviewParts, Problem, ProjectRow, Waiting } from './view.ts';

/** What needs attention, and what to do about it. */

/** Failures whose errors are compared. Each is a document to read. */
const FAILURES = 20;
const REJECTED = 20;
/** The poller runs every minute, and works on what is due for a few minutes. */
const POLLER_LATE_MS = 15 * MINUTE_MS;

/** Adds the problems that other parts show. */
export function withProblems(parts: OverviewParts): OverviewParts {
  const { problems, waiting, projects, budgets } = parts;
  if (!problems) {
    return parts;
  }
  const all = [
    ...problems,
    ...problemsOfWaiting(waiting),
    ...problemsOfBudgets(budgets),
    ...(projects ?? []).flatMap((each) => problemOfProject(each)),
  ];
  return {
    ...parts,
    problems: all.sort((a, b) => Number(a.severity === 'WARNING') - Number(b.severity === 'WARNING')),
  };
}

export async function findProblems(store: Store, now: Date): Promise<Problem[]> {
  const { records, rejectedMessages } = store;
  const yesterday = later(now, -DAY_MS);
  const late = later(now, -POLLER_LATE_MS);
  const unsuccessful = pageQueries.finishedIn(['FAILED', 'REJECTED', 'LOST'], yesterday, later(now, DAY_MS));
  const [claims, operations, [longest], failures, rejected, undelivered] = await Promise.all([
    records.count(recordQueries.overdueSubmitting(late)),
    records.count(recordQueries.dueOperations(late)),
    records.find(pageQueries.stalled(), { limit: 1 }),
    records.find(unsuccessful, { limit: FAILURES }),
    rejectedMessages.find(rejectedMessageListQueries.newest(yesterday), { limit: REJECTED }),
    records.count(pageQueries.delivered(['MISSING', 'SUSPECT'], yesterday)),
  ]);
  // Usually there are none.
  const [stalled, failed, missing] = await Promise.all([
    longest ? records.count(pageQueries.stalled()) : 0,
    failures.length === FAILURES ? records.count(unsuccessful) : failures.length,
    undelivered > 0 ? records.count(pageQueries.delivered(['MISSING'], yesterday)) : 0,
  ]);
  const suspect = Math.max(0, undelivered - missing);
  const problems: Problem[] = [];
  if (claims + operations > 0) {
    problems.push({ code: 'POLLER_LATE', severity: 'ERROR', count: claims + operations });
  }
  const messages = rejected.filter(isReadable);
  const dead = messages.filter(({ value }) => value.reason === 'DEAD_LETTER');
  const [firstDead] = dead;
  if (firstDead) {
    problems.push({
      code: 'DEAD_LETTERS',
      severity: 'ERROR',
      count: dead.length,
      remedies: [
        { does: 'SHOW', text: command('show', firstDead.id) },
        { does: 'LOGS', text: logsOf(firstDead.id) },
        { does: 'REPLAY', text: command('dead-letters', 'replay') },
      ],
    });
  }
  if (missing > 0) {
    const href = exportsPath({ deliveries: ['MISSING'] });
    problems.push({ code: 'MISSING_VIDEOS', severity: 'ERROR', count: missing, href });
  }
  if (suspect > 0) {
    const href = exportsPath({ deliveries: ['SUSPECT'] });
    problems.push({ code: 'SUSPECT_VIDEOS', severity: 'WARNING', count: suspect, href });
  }
  if (longest && isReadable(longest) && 'stalledSince' in longest.value && longest.value.stalledSince) {
    const since = iso(longest.value.stalledSince);
    problems.push({
      code: 'STALLED',
      severity: 'WARNING',
      count: stalled,
      since,
      href: exportPath(longest.id),
    });
  }
  problems.push(...failureGroups(failures, failed));
  const first = messages.find(({ value }) => value.reason !== 'DEAD_LETTER');
  if (first) {
    const [issue] = first.value.issues;
    problems.push({
      code: 'REJECTED_MESSAGES',
      severity: 'WARNING',
      count: messages.length - dead.length,
      subject: first.value.reason,
      ...optional('message', issue && abbreviate(`${issue.path}: ${issue.message}`, 300)),
      remedies: [{ does: 'SHOW', text: command('show', first.id) }],
    });
  }
  return problems;
}

/** The most frequent error first. */
function failureGroups(failures: readonly Found<ExportRecord>[], total: number): Problem[] {
  const groups = new Map<string, ExportRecord[]>();
  for (const { value } of failures.filter(isReadable)) {
    const status = 'error' in value && value.error ? value.error.status : value.state;
    groups.set(status, [...(groups.get(status) ?? []), value]);
  }
  const largest = [...groups].sort(([, a], [, b]) => b.length - a.length).slice(0, 3);
  return largest.map(([status, [first, ...others]]): Problem => {
    const error = first && 'error' in first ? first.error : undefined;
    const alone = groups.size === 1;
    return {
      code: 'UNSUCCESSFUL',
      severity: 'WARNING',
      count: alone ? total : 1 + others.length,
      subject: abbreviate(status, 60),
      ...optional('message', error && abbreviate(error.message, 300)),
      ...optional('advice', error?.advice && abbreviate(error.advice, 300)),
      href: exportsPath({ states: ['FAILED', 'REJECTED', 'LOST'] }),
    };
  });
}

function problemsOfWaiting(waiting: Waiting | undefined): Problem[] {
  const count = (of: WaitingFor) => waiting?.reasons.find(({ reason }) => reason === of)?.count ?? 0;
  const href = exportsPath({ states: ['WAITING'] });
  const problems: Problem[] = [];
  if (count('PERMISSION') > 0) {
    const { id, why, fix } = waiting?.permission ?? {};
    problems.push({
      code: 'WAITING_PERMISSION',
      severity: 'ERROR',
      count: count('PERMISSION'),
      ...optional('message', why),
      ...optional('remedies', fix === undefined ? undefined : [{ does: 'GRANT', text: fix }]),
      href: id === undefined ? href : exportPath(id),
    });
  }
  if (count('SERVICE') > 0) {
    problems.push({ code: 'WAITING_SERVICE', severity: 'WARNING', count: count('SERVICE'), href });
  }
  return problems;
}

/** Budgets that keep jobs from ending. */
const problemsOfBudgets = (budgets: readonly BudgetRow[] = []): Problem[] =>
  budgets
    .filter(({ cancels, held = 0 }) => cancels || held > 0)
    .map(({ id, cancels, held = 0, raise }) => ({
      code: cancels ? 'BUDGET_CANCELS' : 'BUDGET_HOLDS',
      severity: 'WARNING',
      count: held,
      subject: id,
      remedies: [
        ...(raise === undefined ? [] : [{ does: 'RAISE' as const, text: raise }]),
        { does: 'RELEASE', text: command('budget', 'remove', id) },
      ],
      href: exportsPath({ states: [cancels ? 'CANCELLED' : 'WAITING'] }),
    }));

const problemOfProject = ({ project, restrictedSince }: ProjectRow): Problem[] =>
  restrictedSince === undefined
    ? []
    : [{ code: 'RESTRICTED', severity: 'WARNING', count: 1, subject: project, since: restrictedSince }];

import { type Clock, DAY_MS, later, MINUTE_MS } from '../../shared/clock.ts';
import type { Config } from '../../shared/config.ts';
import type { Log } from '../../shared/log.ts';
import { type ExportRecord, type WaitingFor, waitingForSchema } from '../../shared/model/record.ts';
import { listQueries, rejectedMessageListQueries } from '../../shared/store/list-queries.ts';
import { pageProjectQueries, pageQueries } from '../../shared/store/page-queries.ts';
import { type Query, recordQueries } from '../../shared/store/queries.ts';
import { isReadable, type Found, type Store } from '../../shared/store/store.ts';
import { abbreviate } from '../../shared/text.ts';
import { exportPath, exportsPath } from './filter.ts';
import { createHourHistory } from './hours.ts';
import { createParts, type Makers, type Steps } from './parts.ts';
import { iso, optional, rowOf } from './row.ts';
import type { BudgetRow, OverviewParts, OverviewView, Problem, ProjectRow, Waiting } from './view.ts';

/** Lists on the overview are short: each has a page of its own. */
const ROWS = 8;
const PROJECTS = 20;
/** Failures whose errors are compared. Each is a document to read. */
const FAILURES = 20;
const REJECTED = 20;
/** The poller runs every minute, and works on what is due for a few minutes. */
const POLLER_LATE_MS = 15 * MINUTE_MS;

/** Reads the overview of one store. */
export interface Overview {
  /** Parts that take longer than `patienceMs` are left out. */
  read(patienceMs: number): Promise<OverviewView>;
}

/** First what single documents show, then what is counted, and last what takes dozens of queries. */
const steps: Steps<OverviewParts> = {
  running: 0,
  finished: 0,
  budgets: 0,
  problems: 1,
  counts: 1,
  waiting: 1,
  projects: 2,
  hours: 3,
};

export function createOverview(
  store: Store,
  { maxActiveOperations }: Pick<Config, 'maxActiveOperations'>,
  clock: Clock,
  log: Log,
  stopping: AbortSignal,
): Overview {
  const { records } = store;
  const history = createHourHistory();
  const parts = createParts<OverviewParts>(
    clock,
    steps,
    (part, error) => log.error('page.part_failed', error, { part }),
    stopping,
  );
  const rows = async (query: Query) => (await records.find(query, { limit: ROWS })).map(rowOf);
  return {
    async read(patienceMs) {
      const now = clock.now();
      const makers: Makers<OverviewParts> = {
        counts: () => countActive(store),
        waiting: () => countWaiting(store),
        projects: () => projectRows(store, maxActiveOperations, now),
        running: () => rows(listQueries.newestIn(['RUNNING'])),
        finished: () => rows(pageQueries.finished(later(now, -DAY_MS), later(now, DAY_MS))),
        problems: () => findProblems(store, now),
        hours: () => history.read(store, now),
        budgets: () => budgetRows(store),
      };
      const read = await parts.read(makers, patienceMs);
      return { kind: 'overview', ...withProblems(read.parts), isIncomplete: read.isIncomplete };
    },
  };
}

/** Adds the problems that other parts show. */
function withProblems(parts: OverviewParts): OverviewParts {
  const { problems, waiting, projects } = parts;
  if (!problems) {
    return parts;
  }
  const all = [
    ...problems,
    ...(waiting?.reasons ?? []).flatMap((each) => problemOfWaiting(each)),
    ...(projects ?? []).flatMap((each) => problemOfProject(each)),
  ];
  return {
    ...parts,
    problems: all.sort((a, b) => Number(a.severity === 'WARNING') - Number(b.severity === 'WARNING')),
  };
}

async function countActive({ records }: Store): Promise<NonNullable<OverviewParts['counts']>> {
  const [running, others] = await Promise.all([
    records.count(listQueries.newestIn(['RUNNING'])),
    records.count(listQueries.newestIn(['SUBMITTING', 'PENDING', 'CANCELLING'])),
  ]);
  return { running, others };
}

async function countWaiting({ records }: Store): Promise<Waiting> {
  const count = async (reason: WaitingFor) => ({
    reason,
    count: await records.count(pageQueries.waitingFor(reason)),
  });
  const [[oldest], all, queue] = await Promise.all([
    records.find(recordQueries.waiting(), { limit: 1 }),
    records.count(recordQueries.waiting()),
    count('QUEUE'),
  ]);
  // Usually all of them wait for the queue.
  const reasons = waitingForSchema.options.filter((reason) => reason !== queue.reason);
  const others = all > queue.count ? await Promise.all(reasons.map(count)) : [];
  const counts = [queue, ...others].filter((each) => each.count > 0);
  return { reasons: counts, ...optional('oldest', oldest && rowOf(oldest)) };
}

const BUDGETS = 20;

/** Budgets as the last poll summed them: one document. */
async function budgetRows({ budgetStatus }: Store): Promise<BudgetRow[]> {
  const found = await budgetStatus.get('current');
  const budgets = found && isReadable(found) ? found.value.budgets : [];
  return budgets.slice(0, BUDGETS).map((budget): BudgetRow => {
    const { id, match, period, limitEecuHours, spentEecuSeconds, holds, cancels, problem } = budget;
    const { project, batchIdPrefix, label } = match;
    const covered = [project, batchIdPrefix && `${batchIdPrefix}*`, label && `${label.key}=${label.value}`];
    return {
      id: abbreviate(id, 100),
      match: covered.filter((each) => each !== undefined).join(', '),
      ...optional('period', period),
      ...optional('limitEecuHours', limitEecuHours),
      ...optional('spentEecuSeconds', spentEecuSeconds),
      holds,
      cancels,
      ...optional('problem', problem && abbreviate(problem, 300)),
    };
  });
}

/** Every project that has unfinished jobs, or whose gate has ever closed. */
async function projectRows(store: Store, limit: number, now: Date): Promise<ProjectRow[]> {
  const [statuses, inUse] = await Promise.all([
    store.projects.find(pageProjectQueries.newestChanges(), { limit: PROJECTS }),
    projectsInUse(store),
  ]);
  const known = new Map(statuses.filter(isReadable).map(({ id, value }) => [id, value]));
  const names = [...new Set([...inUse, ...known.keys()])].slice(0, PROJECTS);
  return Promise.all(
    names.map(async (project): Promise<ProjectRow> => {
      const [active, queued] = inUse.includes(project)
        ? await Promise.all([
            store.records.count(recordQueries.occupying(project)),
            store.records.count(recordQueries.queued(project)),
          ])
        : [0, 0];
      const { closedUntil, closedFor, parallelismRestrictedAt } = known.get(project) ?? {};
      return {
        project,
        gate: closedUntil === undefined ? 'OPEN' : closedUntil > now ? 'CLOSED' : 'PROBE',
        ...optional('closedFor', closedUntil && closedFor),
        ...optional('closedUntil', closedUntil && iso(closedUntil)),
        ...optional('restrictedSince', parallelismRestrictedAt && iso(parallelismRestrictedAt)),
        active,
        limit,
        queued,
      };
    }),
  );
}

async function projectsInUse({ records }: Store): Promise<string[]> {
  const query = recordQueries.unfinishedByProject();
  const names: string[] = [];
  for (let after: readonly unknown[] = []; names.length < PROJECTS;) {
    const [found] = await records.find(query, { limit: 1, after });
    const project = found && (isReadable(found) ? found.value.project : found.fields['project']);
    if (typeof project !== 'string') {
      break;
    }
    names.push(project);
    after = [project];
  }
  return names;
}

async function findProblems(store: Store, now: Date): Promise<Problem[]> {
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
  const messages = rejected.filter(isReadable).map(({ value }) => value);
  const dead = messages.filter(({ reason }) => reason === 'DEAD_LETTER');
  if (dead.length > 0) {
    problems.push({ code: 'DEAD_LETTERS', severity: 'ERROR', count: dead.length });
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
  const first = messages.find(({ reason }) => reason !== 'DEAD_LETTER');
  if (first) {
    const [issue] = first.issues;
    problems.push({
      code: 'REJECTED_MESSAGES',
      severity: 'WARNING',
      count: messages.length - dead.length,
      subject: first.reason,
      ...optional('message', issue && abbreviate(`${issue.path}: ${issue.message}`, 300)),
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

function problemOfWaiting({ reason, count }: Waiting['reasons'][number]): Problem[] {
  if (reason !== 'PERMISSION' && reason !== 'SERVICE') {
    return [];
  }
  const code = reason === 'PERMISSION' ? 'WAITING_PERMISSION' : 'WAITING_SERVICE';
  const severity = reason === 'PERMISSION' ? 'ERROR' : 'WARNING';
  return [{ code, severity, count, href: exportsPath({ states: ['WAITING'] }) }];
}

const problemOfProject = ({ project, restrictedSince }: ProjectRow): Problem[] =>
  restrictedSince === undefined
    ? []
    : [{ code: 'RESTRICTED', severity: 'WARNING', count: 1, subject: project, since: restrictedSince }];

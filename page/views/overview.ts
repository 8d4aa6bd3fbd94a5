import { type Clock, DAY_MS, later } from '../../shared/clock.ts';
import type { Config } from '../../shared/config.ts';
import type { Log } from '../../shared/log.ts';
import type { BudgetFigures } from '../../shared/model/budget.ts';
import { type WaitingFor, waitingForSchema } from '../../shared/model/record.ts';
import { listQueries } from '../../shared/store/list-queries.ts';
import { pageProjectQueries, pageQueries } from '../../shared/store/page-queries.ts';
import { type Query, recordQueries } from '../../shared/store/queries.ts';
import { isReadable, type Store } from '../../shared/store/store.ts';
import { abbreviate } from '../../shared/text.ts';
import { raiseBudget } from './commands.ts';
import { createHourHistory } from './hours.ts';
import { createParts, type Makers, type Steps } from './parts.ts';
import { findProblems, withProblems } from './problems.ts';
import { iso, optional, permissionOf, rowOf } from './row.ts';
import type { BudgetRow, OverviewParts, OverviewView, ProjectRow, Waiting } from './view.ts';

/** Lists on the overview are short: each has a page of its own. */
const ROWS = 8;
const PROJECTS = 20;

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
  const refused = counts.some(({ reason }) => reason === 'PERMISSION');
  const [lacking] = refused ? await records.find(pageQueries.waitingFor('PERMISSION'), { limit: 1 }) : [];
  const permission = lacking && isReadable(lacking) ? permissionOf(lacking.value) : undefined;
  return {
    reasons: counts,
    ...optional('oldest', oldest && rowOf(oldest)),
    ...optional('permission', permission && lacking && { id: lacking.id, ...permission }),
  };
}

const BUDGETS = 20;

/** Budgets as the last poll summed them: one document, and more about those that are used up. */
async function budgetRows({ budgetStatus, budgets: documents, records }: Store): Promise<BudgetRow[]> {
  const found = await budgetStatus.get('current');
  const budgets = found && isReadable(found) ? found.value.budgets : [];
  const row = async (budget: BudgetFigures): Promise<BudgetRow> => {
    const { id, match, period, limitEecuHours, spentEecuSeconds, holds, cancels, problem } = budget;
    const { project, batchIdPrefix, label } = match;
    const isUsedUp = (holds || cancels) && spentEecuSeconds !== undefined;
    const [document, held] = isUsedUp
      ? await Promise.all([documents.get(id), records.count(recordQueries.heldBy(id))])
      : [];
    const raise =
      isUsedUp && document && isReadable(document)
        ? raiseBudget(id, document.value, spentEecuSeconds)
        : undefined;
    const covered = [project, batchIdPrefix && `${batchIdPrefix}*`, label && `${label.key}=${label.value}`];
    return {
      id: abbreviate(id, 100),
      match: covered.filter((each) => each !== undefined).join(', '),
      ...optional('period', period),
      ...optional('limitEecuHours', limitEecuHours),
      ...optional('spentEecuSeconds', spentEecuSeconds),
      holds,
      cancels,
      ...optional('held', held),
      ...optional('raise', raise),
      ...optional('problem', problem && abbreviate(problem, 300)),
    };
  };
  return Promise.all(budgets.slice(0, BUDGETS).map(row));
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

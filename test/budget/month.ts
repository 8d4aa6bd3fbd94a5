import { createRandom } from '../../infra/local/simulator/random.ts';
import { DAY_MS, HOUR_MS, SECOND_MS } from '../../shared/clock.ts';
import { budgetEventId } from '../../shared/budget/figures.ts';
import type { Budget, BudgetEvent, BudgetThreshold, BudgetStatus } from '../../shared/model/budget.ts';
import { type ExportRecord, isTerminal } from '../../shared/model/record.ts';
import { smallJob } from '../harness.ts';
import { createBudgetRig } from './rig.ts';

/**
 * Three teams share a project for six weeks around the turn of a year: one is held, one is canceled, one only notified. Jobs
 * run at the turn, and a limit is raised before it. Then the rest of time passes until every job has ended.
 */

const STARTS_AT = new Date('2026-12-01T00:00:00Z');
export const TURNS_AT = new Date('2027-01-01T00:00:00Z');
const RAISED_AT = new Date('2026-12-27T00:00:00Z');
const ARRIVALS_MS = 42 * DAY_MS;
/** Two turns of the month, and some days. */
const MAX_DAYS = 75;
/** An instance may use figures for so long. */
const CACHE_MS = 5 * SECOND_MS;

/** EECU-seconds per second of run time, in the simulator. */
const RATE = 3.2;

const teams = ['water', 'fire', 'land'] as const;
export type Team = (typeof teams)[number];

/** The share of its demand that a team may use in a month. */
const plans: Readonly<Record<Team, { readonly share: number; readonly action: BudgetThreshold['action'] }>> =
  {
    water: { share: 0.35, action: 'HOLD' },
    fire: { share: 0.5, action: 'CANCEL' },
    land: { share: 0.3, action: 'NOTIFY' },
  };
const RAISED_SHARE = 0.5;

export interface MonthOptions {
  readonly seed: number;
  readonly jobs: number;
  /** How long a job runs: the shortest and the longest time. */
  readonly runMs: readonly [number, number];
  /** Between two polls. */
  readonly stepMs: number;
}

/** A time in which a budget held its jobs. */
interface Hold {
  readonly team: Team;
  readonly month: string;
  readonly limitHours: number;
  /** The last look at the figures before, when they did not hold. */
  readonly knownFreeAt: Date;
  readonly at: Date;
  releasedAt: Date | undefined;
}

interface Figure {
  readonly team: Team;
  readonly month: string;
  readonly hours: number;
}

const figuresIn = ({ budgets }: BudgetStatus): Figure[] =>
  budgets.map(({ id, period = '', spentEecuSeconds = 0 }) => ({
    team: id as Team,
    month: period,
    hours: spentEecuSeconds / 3600,
  }));

export interface Month {
  readonly records: readonly { readonly id: string; readonly value: ExportRecord }[];
  readonly operations: readonly {
    readonly team: Team;
    readonly createdAt: Date;
    readonly endedAt: Date;
    readonly hours: number;
  }[];
  readonly holds: readonly Hold[];
  readonly events: readonly { readonly id: string; readonly event: BudgetEvent }[];
  /** What the service itself says that was spent, in EECU-hours, at the turn and at the end. */
  readonly atTurn: readonly Figure[];
  readonly atEnd: readonly Figure[];
  /** The limits at the end of each month, by `team month`. */
  readonly limits: ReadonlyMap<string, number>;
  readonly polls: number;
}

export const monthOf = (date: Date): string => date.toISOString().slice(0, 7);

/** What jobs that ended in the month have cost. */
export const spentHours = ({ records }: Month, team: Team, month: string): number =>
  records
    .map(({ value }) => value)
    .filter(
      (value) => value.labels['team'] === team && isTerminal(value) && monthOf(value.finishedAt) === month,
    )
    .reduce((sum, value) => sum + ('eecuSeconds' in value ? (value.eecuSeconds ?? 0) : 0) / 3600, 0);

/** What was at Earth Engine when a budget was found to be used up: it may be exceeded by that, and by no more. */
export const boundHours = ({ operations }: Month, { team, at, knownFreeAt }: Hold): number =>
  operations
    .filter(
      (each) =>
        each.team === team &&
        each.endedAt > knownFreeAt &&
        each.createdAt.getTime() <= at.getTime() + CACHE_MS,
    )
    .reduce((sum, { hours }) => sum + hours, 0);

/** Operations that started although their budget held. */
export const startedWhileHeld = ({ operations, holds }: Month): number =>
  operations.filter(({ team, createdAt }) =>
    holds.some(
      (hold) =>
        hold.team === team &&
        createdAt.getTime() > hold.at.getTime() + CACHE_MS &&
        (hold.releasedAt === undefined || createdAt < hold.releasedAt),
    ),
  ).length;

export async function playMonth({ seed, jobs, runMs, stepMs }: MonthOptions): Promise<Month> {
  const random = createRandom(seed);
  const meanMs = (runMs[0] + runMs[1]) / 2;
  const demandHours = (jobs * RATE * meanMs) / HOUR_MS / teams.length;
  // A third more than jobs need on average.
  const slots = Math.ceil((1.33 * jobs * meanMs) / ARRIVALS_MS);
  const rig = createBudgetRig({
    simulator: { seed, settings: { runMs, concurrency: slots } },
    environment: { MAX_ACTIVE_OPERATIONS: String(slots * 2) },
  });
  rig.clock.advance(STARTS_AT.getTime() - rig.clock.now().getTime());
  const limits = new Map<Team, number>();
  const setBudget = (team: Team, share: number): void => {
    const limitEecuHours = share * demandHours;
    limits.set(team, limitEecuHours);
    const budget: Budget = {
      match: { label: { key: 'team', value: team } },
      period: 'MONTH',
      limitEecuHours,
      thresholds: [
        { percent: 50, action: 'NOTIFY' },
        { percent: 80, action: 'NOTIFY' },
        { percent: 100, action: plans[team].action },
      ],
    };
    rig.budget(team, budget);
  };
  for (const team of teams) {
    setBudget(team, plans[team].share);
  }
  const processes = [rig.instance(), rig.instance()] as const;
  const arrivals = Array.from({ length: jobs }, (_, index) => {
    const team = teams[index % teams.length] as Team;
    // Some jobs are in flight at the turn, however few jobs there are.
    const isAtTurn = team === 'land' && index % 5 === 0;
    const atMs = isAtTurn
      ? TURNS_AT.getTime() - random() * DAY_MS
      : STARTS_AT.getTime() + random() * ARRIVALS_MS;
    return { atMs, team, index };
  }).sort((a, b) => a.atMs - b.atMs);
  const holds: Hold[] = [];
  let atTurn: Figure[] = [];
  const lookAtStatus = () => rig.memory.peek('exportBudgetStatus/current') as BudgetStatus;
  const limitsByMonth = new Map<string, number>();
  let knownAt = rig.clock.now();
  let polls = 0;
  let next = 0;
  const lastMs = STARTS_AT.getTime() + MAX_DAYS * DAY_MS;
  while (rig.clock.now().getTime() < lastMs) {
    const nowMs = rig.clock.now().getTime();
    if (nowMs >= RAISED_AT.getTime() && nowMs < RAISED_AT.getTime() + stepMs) {
      setBudget('water', RAISED_SHARE);
    }
    for (const team of teams) {
      limitsByMonth.set(`${team} ${monthOf(rig.clock.now())}`, limits.get(team) ?? 0);
    }
    for (; (arrivals[next]?.atMs ?? Infinity) <= nowMs; next += 1) {
      const { team, index } = arrivals[next] as (typeof arrivals)[number];
      await processes[index % 2 === 0 ? 0 : 1].submit({ data: jobOf(team, index) });
    }
    // Now and then, two polls at once.
    const pollers = polls % 7 === 0 ? processes : processes.slice(0, 1);
    await Promise.all(pollers.map((process) => process.poll()));
    polls += 1;
    const now = rig.clock.now();
    noteHolds(
      holds,
      rig.memory.peek('exportBudgetStatus/current') as BudgetStatus,
      knownAt,
      now,
      new Date(nowMs),
    );
    knownAt = now;
    if (now >= TURNS_AT && atTurn.length === 0) {
      atTurn = figuresIn(lookAtStatus());
    }
    if (next === jobs && polls % 20 === 0 && (await rig.records()).every(({ value }) => isTerminal(value))) {
      break;
    }
    rig.clock.advance(stepMs - (now.getTime() - nowMs));
  }
  return {
    records: await rig.records(),
    operations: rig.simulator.operations().map(({ description, createTime, startTime, endTime }) => {
      const createdAt = new Date(createTime);
      const endedAt = new Date(endTime ?? rig.clock.now());
      const startedAt = new Date(startTime ?? endedAt);
      const hours = (RATE * (endedAt.getTime() - startedAt.getTime())) / HOUR_MS;
      return { team: description.split('_')[0] as Team, createdAt, endedAt, hours };
    }),
    holds,
    events: rig.told().map((told) => {
      const event = told as unknown as BudgetEvent;
      return { id: budgetEventId(event), event };
    }),
    atTurn,
    atEnd: figuresIn(lookAtStatus()),
    limits: limitsByMonth,
    polls,
  };
}

/** Of the smallest valid video, with the team where the simulator shows it. */
const jobOf = (team: Team, index: number): Record<string, unknown> => ({
  jobKey: `${team}/${index}`,
  labels: { team },
  request: {
    ...(smallJob()['request'] as object),
    description: team,
    fileExportOptions: {
      fileFormat: 'MP4',
      cloudStorageDestination: { bucket: 'my-bucket', filenamePrefix: `${team}-${index}` },
    },
  },
});

function noteHolds(
  holds: Hold[],
  { budgets }: BudgetStatus,
  knownFreeAt: Date,
  now: Date,
  begunAt: Date,
): void {
  for (const { id, holds: isHolding, period = '', limitEecuHours = 0 } of budgets) {
    const open = holds.find(({ team, releasedAt }) => team === id && releasedAt === undefined);
    if (isHolding && (open?.month !== period || open.limitHours !== limitEecuHours)) {
      if (open) {
        open.releasedAt = begunAt;
      }
      holds.push({
        team: id as Team,
        month: period,
        limitHours: limitEecuHours,
        knownFreeAt,
        at: now,
        releasedAt: undefined,
      });
    } else if (!isHolding && open) {
      open.releasedAt = begunAt;
    }
  }
}

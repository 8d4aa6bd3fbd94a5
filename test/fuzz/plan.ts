import type { SimulatorSettings } from '../../infra/local/simulator/settings.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../shared/clock.ts';
import type { Cancellation } from '../../shared/cancellation/cancellation-schema.ts';
import { LAST_ARRIVAL_MS } from '../../shared/model/batch.ts';
import type { RetrySelection } from '../../shared/retry/retry.ts';
import { createDice, type Dice } from './dice.ts';
import type { Features } from './features.ts';
import { createBatch, type FuzzBatch, type FuzzJob, idOf, type JobKind } from './jobs.ts';

/** What a seed decides before time begins: the world, the work, and when it is published, canceled and retried. */

export type Action =
  | { readonly kind: 'publish'; readonly job: FuzzJob; readonly attempt: number }
  | { readonly kind: 'publish nonsense' }
  | { readonly kind: 'expand'; readonly batch: FuzzBatch }
  | { readonly kind: 'cancel'; readonly cancellation: Cancellation }
  | { readonly kind: 'deliver cancellations again' }
  | { readonly kind: 'retry'; readonly selection: RetrySelection; readonly force: boolean }
  | { readonly kind: 'damage a request' }
  | { readonly kind: 'fill the queue'; readonly project: string; readonly forMs: number };

export interface Round {
  /** How long calls fail and processes die. After that, everything must come to an end. */
  readonly roughMs: number;
  readonly actions: readonly { readonly afterMs: number; readonly action: Action }[];
  /** How much time passes with a few polls before, and after, everything has ended. */
  readonly passesMs: { readonly before: number; readonly after: number };
}

/** How the outside world treats the calls of a process. */
export interface Weather {
  /** Which share of calls goes wrong. Reads are most of the calls, and the least of the trouble. */
  readonly faultRates: {
    readonly read: number;
    readonly write: number;
    readonly publish: number;
    readonly export: number;
    readonly list: number;
    readonly get: number;
    readonly cancel: number;
  };
  /** Lists show no descriptions while calls go wrong. */
  readonly hidesDescriptions: boolean;
  /** Which of the faults of a send there are, by their names. */
  readonly sendFaults: RegExp;
  /** How often a process stands still after it has written a record, which it may have claimed to send it. */
  readonly pauseRate: number;
  readonly latencyMs: readonly [least: number, most: number];
  /** The share of calls that take up to SLOW_MS. */
  readonly slowShare: number;
  /** How far a process's clock is off at most. */
  readonly skewMs: number;
  /** How long after its sender gave up a request can arrive. */
  readonly lateMs: number;
  /** All of them arrive as late as they can. */
  readonly isLatest: boolean;
}

export interface Plan {
  readonly seed: number;
  readonly features: Features;
  readonly weather: Weather;
  readonly environment: Readonly<Record<string, string>>;
  readonly settings: Partial<SimulatorSettings>;
  /** Earth Engine refuses further requests of an id, instead of returning the operation that it started. */
  readonly refusesReplays: boolean;
  /** Operations of other people in each list. */
  readonly listed: number;
  readonly pollers: number;
  readonly rounds: readonly Round[];
  /** How long an operation runs at most. */
  readonly longestRunMs: number;
}

export const SLOW_MS = 20 * SECOND_MS;
export const RETENTION_DAYS = 31;
const SKEW_MS = 15 * SECOND_MS;
/** T with the environment below. */
const ABSENCE_MS = 240 * SECOND_MS;

export const projects = ['demo-test', 'demo-other'] as const;

export function drawPlan(seed: number, features: Features): Plan {
  const dice = createDice(seed);
  const lagMs = dice.pick([0, 0, 30, 60, 100]) * SECOND_MS;
  const skewMs = features.has('skew') ? dice.pick([0, SKEW_MS]) : 0;
  const latencies: readonly Weather['latencyMs'][] = [
    [1, 20],
    [5, 300],
    [20, 2000],
  ];
  // One job to which everything happens, or many things at once.
  const isFocused = dice.chance(0.4);
  const faultRate = dice.pick([0.005, 0.02, 0.05, 0.12]);
  const isLong = dice.chance(0.1);
  // Nothing changes for so long that would remind the service of a cancellation.
  const isQuiet = features.has('prompt-cancellations') && dice.chance(0.7);
  const runMs: readonly [number, number] = isLong
    ? [2 * HOUR_MS, 3 * HOUR_MS]
    : [dice.whole(1, 120) * SECOND_MS, dice.whole(2, 8) * MINUTE_MS];
  return {
    seed,
    features,
    weather: {
      faultRates: {
        read: faultRate / 3,
        write: dice.pick([faultRate, 0.2]),
        publish: dice.pick([faultRate, 0.3]),
        export: dice.pick(isFocused ? [0.5, 0.95] : [faultRate, 0.3, 0.9]),
        list: dice.pick([faultRate, faultRate, 0.3]),
        get: faultRate,
        cancel: dice.pick([faultRate, 0.5]),
      },
      hidesDescriptions: features.has('lists-without-descriptions') && dice.chance(0.5),
      sendFaults: dice.pick(isFocused ? [/^/, /late$/, /late$/, /lost$/] : [/^/, /^/, /late$/, /lost$/]),
      pauseRate: features.has('pauses') ? dice.pick(isFocused ? [0, 0.1, 0.3] : [0, 0, 0.05]) : 0,
      latencyMs: dice.pick(latencies),
      slowShare: dice.pick([0, 0.01, 0.05]),
      skewMs,
      // Two searches lie T apart by clocks that may differ by twice the skew, and a list lags.
      lateMs: features.has('late') ? ABSENCE_MS - lagMs - 2 * skewMs - SECOND_MS : 0,
      isLatest: dice.chance(0.5),
    },
    environment: {
      ALLOWED_PROJECTS: projects.join(','),
      RETRY_MAX_SECONDS: String(ABSENCE_MS / SECOND_MS),
      POLL_MAX_SECONDS: dice.pick(['600', '3600']),
      MAX_ACTIVE_OPERATIONS: dice.pick(['2700', '2', '3']),
      RETENTION_DAYS: String(RETENTION_DAYS),
      ...(features.has('damaged-requests') ? { SUBMIT_DEADLINE_HOURS: '4' } : {}),
    },
    settings: {
      ...(isQuiet ? { pendingMs: 3 * HOUR_MS } : {}),
      runMs,
      concurrency: dice.pick([2, 10]),
      listOrder: dice.pick(['newest', 'oldest', 'random'] as const),
      listLagMs: lagMs,
      queueLimit: dice.pick([2, 1000]),
      queueFullStatus: dice.pick([400, 429] as const),
      useUpIdWhenFull: dice.chance(0.7),
      differentOperationStatus: dice.pick([400, 409] as const),
      cancelMs: dice.pick([500, 40 * SECOND_MS]),
      failing: [{ pattern: '^failing-', code: 13, message: 'Internal error.' }],
      uncancellable: ['^stubborn-'],
      ...(features.has('accounts') && dice.chance(0.15) ? { tokens: accounts } : {}),
    },
    refusesReplays: dice.chance(0.5),
    listed: dice.chance(0.03) ? 600 : 0,
    pollers: dice.whole(1, 2),
    rounds: drawRounds(dice, features, isFocused),
    longestRunMs: runMs[1] + (isQuiet ? 3 * HOUR_MS : 0),
  };
}

export const accounts = { 'a@demo': 'a@demo', 'b@demo': 'b@demo' } as const;

/** What the rounds of a plan draw from. */
interface Work {
  readonly singles: readonly FuzzJob[];
  readonly batches: readonly FuzzBatch[];
}

function drawRounds(dice: Dice, features: Features, isFocused: boolean): Round[] {
  const work = isFocused ? focusedWork(dice) : drawWork(dice, features);
  const published = drawRound(
    dice,
    [
      ...work.singles.flatMap((job) => Array.from({ length: dice.pick([1, 1, 2]) }, () => publish(job))),
      ...work.batches.map((batch) => ({ kind: 'expand', batch }) as const),
    ],
    isFocused ? MINUTE_MS : undefined,
  );
  const changed = drawRound(dice, drawChanges(dice, features, work, 0.5));
  const canceled = features.has('cancellations')
    ? drawEarlyCancellations(dice, published, isFocused ? 0.6 : 0.25)
    : [];
  const first = { ...changed, actions: [...published.actions, ...changed.actions, ...canceled] };
  const more = features.has('retries') || features.has('cancellations') ? dice.pick([0, 1, 1, 2]) : 0;
  const rounds = [
    first,
    ...Array.from({ length: more }, () => drawRound(dice, drawChanges(dice, features, work, 1))),
  ];
  const passMs = (RETENTION_DAYS + dice.whole(1, 14)) * DAY_MS;
  if (features.has('long-batches') && dice.chance(0.2)) {
    // After that time, a batch no longer waits for jobs whose records were deleted.
    return [withFullQueue(rounds[0] as Round, LAST_ARRIVAL_MS + dice.whole(1, 7) * DAY_MS)];
  }
  if (features.has('expiry') && dice.chance(0.1)) {
    const late = drawJob(dice, 'late/0', 'demo-test');
    const last = rounds.pop() as Round;
    rounds.push({ ...last, passesMs: { before: 0, after: passMs } }, drawRound(dice, [publish(late)]));
  }
  return rounds;
}

const publish = (job: FuzzJob, attempt = 1): Action => ({ kind: 'publish', job, attempt });

function drawRound(dice: Dice, actions: readonly Action[], withinMs?: number): Round {
  const roughMs = dice.whole(4, 14) * MINUTE_MS;
  return {
    roughMs,
    actions: actions.map((action) => {
      // A queue that is full from the beginning matters most.
      const atMostMs = action.kind === 'fill the queue' ? MINUTE_MS : (withinMs ?? roughMs);
      return { afterMs: dice.whole(0, atMostMs), action };
    }),
    passesMs: { before: 0, after: 0 },
  };
}

const focusedWork = (dice: Dice): Work => ({
  singles: [{ jobKey: 'single/0', project: projects[0], kind: dice.pick(['good', 'good', 'moody']) }],
  batches: [],
});

/** Cancellations of jobs while they are being sent. */
function drawEarlyCancellations(dice: Dice, { actions }: Round, chance: number): Round['actions'] {
  return dice.some(actions, chance).flatMap(({ afterMs, action }) => {
    const cancellation: Cancellation | undefined =
      action.kind === 'publish'
        ? { jobKey: action.job.jobKey, project: action.job.project }
        : action.kind === 'expand'
          ? { batchId: action.batch.id }
          : undefined;
    const soonMs = afterMs + dice.whole(0, dice.pick([8 * SECOND_MS, 4 * MINUTE_MS]));
    return cancellation ? [{ afterMs: soonMs, action: { kind: 'cancel', cancellation } as const }] : [];
  });
}

/** From half of its time on nothing is started, until the first records have expired. */
function withFullQueue(round: Round, passMs: number): Round {
  const afterMs = round.roughMs / 2;
  const full = projects.map((project) => ({
    afterMs,
    action: { kind: 'fill the queue', project, forMs: passMs + HOUR_MS } as const,
  }));
  return { ...round, actions: [...round.actions, ...full], passesMs: { before: passMs, after: 0 } };
}

function drawWork(dice: Dice, features: Features): Work {
  const singles = Array.from({ length: dice.whole(1, 3) }, (_, n) =>
    drawJob(dice, `single/${n}`, drawProject(dice)),
  );
  if (!features.has('batches')) {
    return { singles, batches: [] };
  }
  const batches: FuzzBatch[] = [];
  for (const name of ['one', 'two'].slice(0, dice.whole(0, 2))) {
    const project = drawProject(dice);
    const own = Array.from({ length: dice.whole(1, 3) }, (_, n) => drawJob(dice, `${name}/${n}`, project));
    const others = [...new Set([...singles, ...batches.flatMap(({ jobs }) => jobs)])];
    const shared = features.has('sharing')
      ? dice.some(
          others.filter((job) => job.project === project),
          0.4,
        )
      : [];
    batches.push(createBatch(name, project, [...own, ...shared]));
  }
  return { singles, batches };
}

const drawProject = (dice: Dice): string => (dice.chance(0.8) ? projects[0] : projects[1]);

const drawJob = (dice: Dice, jobKey: string, project: string): FuzzJob => ({
  jobKey,
  project,
  kind: dice.pick<JobKind>(['good', 'good', 'good', 'good', 'moody', 'failing', 'refused', 'stubborn']),
});

/** Cancellations and retries, and other people who fill the queue. */
function drawChanges(dice: Dice, features: Features, work: Work, retryChance: number): Action[] {
  const jobs = [...work.singles, ...work.batches.flatMap((batch) => batch.jobs)];
  const actions: Action[] = [];
  if (features.has('cancellations') && dice.chance(0.6)) {
    for (let n = dice.whole(1, 3); n > 0; n -= 1) {
      actions.push({ kind: 'cancel', cancellation: drawCancellation(dice, jobs, work.batches) });
    }
  }
  if (features.has('cancellations') && dice.chance(0.4)) {
    actions.push({ kind: 'deliver cancellations again' });
  }
  if (features.has('retries') && dice.chance(retryChance)) {
    for (let n = dice.whole(1, 2); n > 0; n -= 1) {
      actions.push({
        kind: 'retry',
        selection: drawSelection(dice, jobs, work.batches),
        force: dice.chance(0.3),
      });
    }
  }
  if (features.has('retries') && dice.chance(0.15)) {
    // Another way to run a job again.
    actions.push(publish(dice.pick(jobs), 2));
  }
  if (features.has('damaged-requests') && dice.chance(0.3)) {
    actions.push({ kind: 'damage a request' });
  }
  if (features.has('kept-originals') && dice.chance(0.5)) {
    actions.push({ kind: 'publish nonsense' });
  }
  if (dice.chance(0.3)) {
    actions.push({
      kind: 'fill the queue',
      project: drawProject(dice),
      forMs: dice.whole(1, 6) * MINUTE_MS,
    });
  }
  return actions;
}

function drawCancellation(dice: Dice, jobs: readonly FuzzJob[], batches: readonly FuzzBatch[]): Cancellation {
  const job = dice.pick(jobs);
  const attempt = dice.pick([1, 1, 2]);
  switch (dice.pick(['key', 'key', 'attempt', 'record', ...(batches.length > 0 ? ['batch', 'batch'] : [])])) {
    case 'key':
      return { jobKey: job.jobKey, project: job.project };
    case 'attempt':
      return { jobKey: job.jobKey, project: job.project, attempt };
    case 'record':
      return { recordId: idOf(job, attempt) };
    default:
      return { batchId: dice.pick(batches).id };
  }
}

function drawSelection(dice: Dice, jobs: readonly FuzzJob[], batches: readonly FuzzBatch[]): RetrySelection {
  const job = dice.pick(jobs);
  switch (dice.pick(['keys', 'records', ...(batches.length > 0 ? ['batch', 'batch'] : [])])) {
    case 'keys': {
      const keys = jobs.filter(({ project }) => project === job.project).map(({ jobKey }) => jobKey);
      return { jobKeys: [...new Set(dice.some(keys, 0.7))], project: job.project };
    }
    case 'records':
      return { recordIds: dice.some(jobs, 0.7).map((one) => idOf(one)) };
    default:
      return { batchId: dice.pick(batches).id };
  }
}

/** Every job of a plan, each once. */
export function jobsOf({ rounds }: Plan): FuzzJob[] {
  const jobs = rounds
    .flatMap(({ actions }) => actions)
    .flatMap(({ action }) =>
      action.kind === 'publish' ? [action.job] : action.kind === 'expand' ? action.batch.jobs : [],
    );
  return [...new Map(jobs.map((job) => [idOf(job), job])).values()];
}

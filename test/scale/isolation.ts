import { MINUTE_MS, SECOND_MS } from '../../shared/clock.ts';
import { type EarthEngine, EarthEngineError } from '../../shared/earth-engine/api.ts';
import { isReadable } from '../../shared/store/store.ts';
import { type Instance, queueFull, smallJob } from '../harness.ts';
import { createVirtualTime, type VirtualTime } from './virtual-time.ts';
import { createWatched, submitMany, type Watched } from './watched.ts';

/**
 * How long good jobs wait while their project, or another one, has a trouble of one kind. Both projects' gates have just
 * closed, because Earth Engine's queue was full for a moment.
 */

export interface Trouble {
  readonly name: string;
  /** Jobs that Earth Engine never accepts, and the status that it returns for them. */
  readonly poison?: { readonly jobs: number; readonly status: number };
  /** Old operations in the project, and how long it takes to read a page of them. */
  readonly list?: { readonly ended: number; readonly pageMs: number };
  /** No list of the project ends. */
  readonly endless?: boolean;
  /** The project answers no call for this long. */
  readonly silentMs?: number;
}

export const troubles: readonly Trouble[] = [
  { name: '15 × 403', poison: { jobs: 15, status: 403 } },
  { name: '300 × 403', poison: { jobs: 300, status: 403 } },
  { name: '300 × 500', poison: { jobs: 300, status: 500 } },
  { name: 'a list of 100,000 at 1.3 s a page', list: { ended: 100_000, pageMs: 1300 } },
  { name: 'an endless list', endless: true },
  { name: 'a silent project', silentMs: 30 * MINUTE_MS },
];

/** When the first good job of a project was sent: the time, and the polls, after its gate's time was over. */
export interface Wait {
  readonly minutes: number;
  readonly polls: number;
}

/** What each project may need after its gate's time is over, in polls. */
export const MOST_POLLS = { same: 2, other: 1 } as const;

export interface Isolation {
  /** The project with the trouble. If it was silent, counted from when it answers again. */
  readonly same: Wait;
  readonly other: Wait;
}

const SAME = 'demo-test';
const OTHER = 'other-project';
const PAGE_MS = SECOND_MS;
const CALL_MS = 100;
const GOOD_JOBS = 50;
const WATCHED = 600;
const MAX_POLLS = 60;

/** @throws Error if a good job is not sent within 60 polls */
export async function isolationOf(trouble: Trouble): Promise<Isolation> {
  const { poison, list } = trouble;
  const harness = createWatched({
    simulator: {
      settings: { listOrder: 'random', startsPerSecond: 1000 },
      onRequest: (request, call) =>
        poison &&
        call === 'export' &&
        new TextDecoder().decode(request.body).includes('"description":"poison')
          ? { kind: 'status', status: poison.status, message: 'not this one' }
          : undefined,
    },
  });
  const world = createTroubledWorld(harness, trouble);
  if (poison) {
    await submitPoison(harness, world.poller, poison.jobs);
  } else {
    harness.simulator.setOthers(SAME, { ended: list?.ended ?? 0 });
    await submitMany(harness, WATCHED, SAME);
  }
  const closedUntil = new Map<string, Date>();
  for (const project of [SAME, OTHER]) {
    harness.simulator.failNext('export', queueFull);
    for (let n = 0; n < GOOD_JOBS; n += 1) {
      await harness.submit({ data: smallJob({ jobKey: `good/${n}`, project }, { description: 'good' }) });
    }
    closedUntil.set(project, await closingTime(harness, project));
  }
  world.begin();
  const answersAt = new Date(harness.clock.now().getTime() + (trouble.silentMs ?? 0));
  const since = new Map(closedUntil);
  if (answersAt > (closedUntil.get(SAME) ?? answersAt)) {
    since.set(SAME, answersAt);
  }
  const waits = new Map<string, Wait>();
  const polls = new Map<string, number>();
  for (let poll = 0; poll < MAX_POLLS && waits.size < since.size; poll += 1) {
    await world.nextMinute();
    const startedAt = harness.clock.now();
    await world.poller.poll();
    for (const [project, from] of since) {
      const sentAt = world.firstGood.get(project);
      polls.set(project, (polls.get(project) ?? 0) + (startedAt >= from ? 1 : 0));
      if (sentAt && !waits.has(project)) {
        const minutes = Math.max(0, sentAt.getTime() - from.getTime()) / MINUTE_MS;
        waits.set(project, { minutes, polls: polls.get(project) ?? 0 });
      }
    }
  }
  const [same, other] = [waits.get(SAME), waits.get(OTHER)];
  if (!same || !other) {
    const missing = [...(same ? [] : ['the same']), ...(other ? [] : ['another'])].join(' nor of ');
    throw new Error(`${trouble.name}: no good job of ${missing} project was sent in ${MAX_POLLS} polls`);
  }
  return { same, other };
}

interface TroubledWorld {
  readonly poller: Instance;
  /** By project: when its first good job was accepted. */
  readonly firstGood: ReadonlyMap<string, Date>;
  /** From now on, the project answers as its trouble requires. */
  begin(): void;
  /** Waits until the Scheduler starts the next poll. */
  nextMinute(): Promise<void>;
}

/** A poller whose calls to Earth Engine take time, concurrently. */
function createTroubledWorld(harness: Watched, trouble: Trouble): TroubledWorld {
  const { clock } = harness;
  const time = createVirtualTime(clock);
  const firstGood = new Map<string, Date>();
  let silentUntil = clock.now();
  let pages = 0;
  /** Waits as long as a call takes; fails if the project does not answer. */
  const call = async (project: string, ms: number, timeoutMs: number): Promise<void> => {
    const isSilent = project.includes(SAME) && clock.now() < silentUntil;
    await time.sleep(isSilent ? timeoutMs : ms);
    if (isSilent) {
      throw new EarthEngineError('UNANSWERED', {
        message: 'timed out',
        httpStatus: 504,
        status: 'DEADLINE_EXCEEDED',
        reply: '',
      });
    }
  };
  const slow = (earthEngine: EarthEngine): EarthEngine => ({
    ...earthEngine,
    startExport: async (project, request, options) => {
      await call(project, CALL_MS, options.timeoutMs);
      const operation = await earthEngine.startExport(project, request, options);
      if (operation.description?.startsWith('good') && !firstGood.has(project)) {
        firstGood.set(project, clock.now());
      }
      return operation;
    },
    getOperation: async (name, options) => {
      await call(name, CALL_MS, options.timeoutMs);
      return earthEngine.getOperation(name, options);
    },
    listOperations: async (project, token, options) => {
      const isTroubled = project === SAME;
      await call(project, (isTroubled && trouble.list?.pageMs) || PAGE_MS, options.timeoutMs);
      if (isTroubled && trouble.endless) {
        pages += 1;
        return { operations: [], nextPageToken: `page-${pages}` };
      }
      return earthEngine.listOperations(project, token, options);
    },
  });
  return {
    poller: harness.instance((services) => ({
      ...services,
      clock: { now: () => clock.now(), sleep: (ms, signal) => time.sleep(ms, signal) },
      earthEngine: slow(services.earthEngine),
    })),
    firstGood,
    begin: () => {
      silentUntil = new Date(clock.now().getTime() + (trouble.silentMs ?? 0));
    },
    nextMinute: () => untilNextMinute(clock.now(), time),
  };
}

function untilNextMinute(now: Date, time: VirtualTime): Promise<void> {
  return time.sleep(MINUTE_MS - (now.getTime() % MINUTE_MS));
}

/** They arrive over 15 minutes, and then the poller tries them for half an hour. */
async function submitPoison(harness: Watched, poller: Instance, jobs: number): Promise<void> {
  const stepMs = Math.round((15 * MINUTE_MS) / jobs);
  for (let n = 0; n < jobs; n += 1) {
    const data = smallJob({ jobKey: `poison/${n}`, project: SAME }, { description: 'poison' });
    await harness.submit({ data });
    harness.clock.advance(stepMs);
    if (n % Math.ceil(jobs / 15) === 0) {
      await poller.poll();
    }
  }
  for (let minute = 0; minute < 30; minute += 1) {
    harness.clock.advance(MINUTE_MS);
    await poller.poll();
  }
}

async function closingTime(harness: Watched, project: string): Promise<Date> {
  const found = await harness.store.projects.get(project);
  const closedUntil = found && isReadable(found) ? found.value.closedUntil : undefined;
  if (!closedUntil) {
    throw new Error(`the gate of ${project} did not close`);
  }
  return closedUntil;
}

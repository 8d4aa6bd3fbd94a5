import { MINUTE_MS, SECOND_MS } from '../../shared/clock.ts';
import { createLog } from '../../shared/log.ts';
import { withRequestId } from '../../shared/message/identity.ts';
import { fanOut } from '../../shared/polling/fan-out.ts';
import { pollProject } from '../../shared/polling/poll-project.ts';
import type { Services } from '../../shared/services.ts';
import { envelopeOf, type Instance } from '../harness.ts';
import { withLatency } from './drain.ts';
import { createVirtualTime } from './virtual-time.ts';
import { createWatched, submitMany, type Watched } from './watched.ts';

/** Polls that are spread over instances, in virtual time: Pub/Sub pushes each project's message to an instance that has room. */

export interface FleetOptions {
  readonly instances: number;
  readonly minutes: number;
  /** One instance dies this long after the second minute's messages were published. */
  readonly killAfterMs?: number;
  /**
   * Publishes the messages of these projects, without looking for the projects first: the store in memory reads all records
   * for each, which takes minutes with a hundred thousand.
   */
  readonly projects?: readonly string[];
  /** What one poll computes. The polls of an instance share one CPU. */
  readonly cpuMs?: number;
}

export interface ProjectRun {
  readonly project: string;
  readonly instance: number;
  readonly startMs: number;
  /** Undefined if its instance died. */
  endMs: number | undefined;
}

export interface Fleet {
  readonly runs: readonly ProjectRun[];
  /** From the messages of the last minute to the end of the last poll. */
  readonly lastRoundMs: number;
}

/** As in infra/modules/ee-video-exports/functions.tf. */
const REQUESTS_PER_INSTANCE = 16;
const LIST_MS = 600;
/** The shortest backoff of the subscription. */
const REDELIVER_MS = 10 * SECOND_MS;

interface Message {
  readonly data: string;
  readonly publishTime: Date;
}

/** Projects with operations that wait at Earth Engine: copies of one job, since a hundred thousand would take minutes. */
export async function fillProjects(projects: number, jobs: number): Promise<Watched> {
  const harness = createWatched({ log: silent });
  const { memory, services } = harness;
  const [id = ''] = await submitMany(harness, 1, projectName(0));
  const template = memory.peek(`videoExports/${id}`);
  const request = await memory.records.readRequest(id);
  if (template === undefined || request === undefined) {
    throw new Error('the first job was not stored');
  }
  for (let n = 0; n < projects * jobs; n += 1) {
    const project = projectName(Math.floor(n / jobs));
    const requestId = `ve1-${String(n)
      .padStart(32, 'a')
      .replaceAll(/\d/g, (digit) => 'bcdefghijk'.charAt(Number(digit)))}`;
    const { bytes, description } = withRequestId(request, requestId);
    const { name: operation } = await services.earthEngine.startExport(project, bytes, {
      timeoutMs: MINUTE_MS,
    });
    memory.put(`videoExports/${requestId}`, { ...template, requestId, project, description, operation });
  }
  harness.clock.advance(MINUTE_MS);
  return harness;
}

export const projectName = (n: number): string => `team-${String(n).padStart(4, '0')}`;

const silent = createLog(
  () => {},
  () => new Date(),
);

export async function runFleet(harness: Watched, options: FleetOptions): Promise<Fleet> {
  const { instances, minutes, killAfterMs, projects, cpuMs = 0 } = options;
  // No lease of an earlier run is left.
  harness.clock.advance(MINUTE_MS);
  const time = createVirtualTime(harness.clock);
  const nowMs = (): number => harness.clock.now().getTime();
  const members = Array.from({ length: instances }, () => createMember(harness, time));
  const scheduled = harness.instance((services) => withLatency(services, time, LIST_MS));
  const runs: ProjectRun[] = [];
  const waiting: Message[] = [];

  const deliver = (): void => {
    for (let message = waiting[0]; message; message = waiting[0]) {
      const free = members.findIndex((member) => !member.dead && member.busy < REQUESTS_PER_INSTANCE);
      if (free === -1) {
        return;
      }
      waiting.shift();
      void handle(free, message);
    }
  };
  const redeliver = async (message: Message): Promise<void> => {
    await time.sleep(REDELIVER_MS);
    waiting.push(message);
    deliver();
  };
  const handle = async (index: number, message: Message): Promise<void> => {
    const member = members[index] as Member;
    const { project } = JSON.parse(message.data) as { project: string };
    const run: ProjectRun = { project, instance: index, startMs: nowMs(), endMs: undefined };
    runs.push(run);
    member.busy += 1;
    const { services, gate } = member.instance;
    await time.sleep(member.cpu(cpuMs));
    const polled = await Promise.race([pollProject(services, gate, envelopeOf(message)), member.death]);
    member.busy -= 1;
    if (polled === undefined || polled.outcome === 'BUSY') {
      if (polled) {
        runs.splice(runs.indexOf(run), 1);
      }
      await redeliver(message);
      return;
    }
    run.endMs = nowMs();
    deliver();
  };

  let published = harness.publisher.published.length;
  let roundStartMs = 0;
  for (let minute = 0; minute < minutes; minute += 1) {
    const minuteMs = nowMs();
    await (projects ? fanOut(harness.services, projects) : scheduled.poll());
    roundStartMs = nowMs();
    const messages = harness.publisher.published.slice(published);
    for (const { message } of messages.filter(({ topic }) => topic === harness.config.topics.polls)) {
      waiting.push({ data: Buffer.from(message.data).toString(), publishTime: harness.clock.now() });
    }
    published = harness.publisher.published.length;
    deliver();
    if (minute === 1 && killAfterMs !== undefined) {
      await time.sleep(killAfterMs);
      (members[0] as Member).kill();
    }
    await time.sleep(minuteMs + MINUTE_MS - nowMs());
  }
  const last = runs.filter(({ startMs }) => startMs >= roundStartMs).map(({ endMs = 0 }) => endMs);
  return { runs, lastRoundMs: Math.max(...last) - roundStartMs };
}

interface Member {
  readonly instance: Instance;
  readonly death: Promise<undefined>;
  busy: number;
  dead: boolean;
  kill(): void;
  /** Uses the CPU after what others use it for. @returns how long that takes */
  cpu(ms: number): number;
}

/** An instance whose calls never return once it is dead. */
function createMember(harness: Watched, time: ReturnType<typeof createVirtualTime>): Member {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  let cpuFreeMs = 0;
  const member: Member = {
    instance: harness.instance((services) => mortal(withLatency(services, time, LIST_MS), () => member.dead)),
    death: promise,
    busy: 0,
    dead: false,
    kill: () => {
      member.dead = true;
      resolve(undefined);
    },
    cpu: (ms) => {
      const nowMs = harness.clock.now().getTime();
      cpuFreeMs = Math.max(cpuFreeMs, nowMs) + ms;
      return cpuFreeMs - nowMs;
    },
  };
  return member;
}

function mortal(services: Services, isDead: () => boolean): Services {
  const { earthEngine } = services;
  return {
    ...services,
    earthEngine: {
      ...earthEngine,
      listOperations: async (...call) => {
        const page = await earthEngine.listOperations(...call);
        return isDead() ? new Promise(() => {}) : page;
      },
    },
  };
}

/** Runs of the same project that overlapped while both were alive. */
export function overlaps(runs: readonly ProjectRun[]): ProjectRun[] {
  const byProject = Map.groupBy(runs, ({ project }) => project);
  return runs.filter((run) =>
    byProject
      .get(run.project)
      ?.some(
        (other) =>
          other !== run &&
          other.startMs <= run.startMs &&
          other.endMs !== undefined &&
          other.endMs > run.startMs,
      ),
  );
}

/** The longest time between the ends of two polls of a project. */
export function longestGapMs(runs: readonly ProjectRun[]): number {
  const ends = new Map<string, number[]>();
  for (const { project, endMs } of runs) {
    if (endMs !== undefined) {
      ends.set(project, [...(ends.get(project) ?? []), endMs]);
    }
  }
  return Math.max(
    ...[...ends.values()].flatMap((times) => times.slice(1).map((end, n) => end - (times[n] as number))),
  );
}

import { MINUTE_MS, SECOND_MS } from '../../shared/clock.ts';
import { fanOut, type PollMessage } from '../../shared/polling/fan-out.ts';
import { pollProject } from '../../shared/polling/poll-project.ts';
import type { Services } from '../../shared/services.ts';
import { envelopeOf, type Instance } from '../harness.ts';
import { withLatency } from './drain.ts';
import { createVirtualTime, type VirtualTime } from './virtual-time.ts';
import type { Watched } from './watched.ts';

/** A fleet of instances that poll many projects, in virtual time: Pub/Sub pushes each message to an instance that has room. */

export interface FleetOptions {
  readonly instances: number;
  /** How long the fleet runs, at most. */
  readonly minutes: number;
  /** Ends the fleet after the minute in which this becomes true. */
  readonly isDone?: () => Promise<boolean>;
  /** One instance dies this long after the first minute began. */
  readonly killAfterMs?: number;
  /**
   * If set, the messages of these projects are published, and nothing looks for the projects first: the store in memory reads
   * all records to find one, which takes minutes with a hundred thousand.
   */
  readonly projects?: readonly string[];
  /** The CPU time of one run, without what it sends. The runs of an instance share one CPU. */
  readonly cpuMs?: number;
  /** The CPU time of sending one job. */
  readonly sendCpuMs?: number;
}

export interface ProjectRun {
  readonly project: string;
  /** Whether the run feeds the queue; otherwise, it sweeps. */
  readonly feeds: boolean;
  readonly instance: number;
  readonly startMs: number;
  /** Undefined while the run works, and if its instance died. */
  endMs: number | undefined;
}

export interface Fleet {
  /** The runs that got the lease, in the order in which they started. */
  readonly runs: readonly ProjectRun[];
  readonly beganMs: number;
  /** How long the fleet ran. */
  readonly minutes: number;
  /** From the messages of the last minute to the end of the last poll. */
  readonly lastRoundMs: number;
}

/** As in infra/modules/ee-video-exports/functions.tf. */
const REQUESTS_PER_INSTANCE = 16;
const CALL_MS = 600;
/** The shortest backoff of the subscription. */
const REDELIVER_MS = 10 * SECOND_MS;

interface Message {
  readonly data: string;
  readonly publishTime: Date;
}

export async function runFleet(harness: Watched, options: FleetOptions): Promise<Fleet> {
  const {
    instances,
    minutes,
    killAfterMs,
    projects,
    cpuMs = 0,
    sendCpuMs = 0,
    isDone = async () => false,
  } = options;
  // Until no lease of an earlier fleet is left.
  harness.clock.advance(MINUTE_MS);
  const time = createVirtualTime(harness.clock);
  const nowMs = (): number => harness.clock.now().getTime();
  const members = Array.from({ length: instances }, () => createMember(harness, time, sendCpuMs));
  const scheduled = harness.instance((services) => withLatency(services, time, CALL_MS));
  const runs: ProjectRun[] = [];
  const waiting: Message[] = [];

  let published = harness.publisher.published.length;
  const takeMessages = (): void => {
    for (const { topic, message } of harness.publisher.published.slice(published)) {
      if (topic === harness.config.topics.polls) {
        waiting.push({ data: Buffer.from(message.data).toString(), publishTime: harness.clock.now() });
      }
    }
    published = harness.publisher.published.length;
  };
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
    const { project, feed } = JSON.parse(message.data) as PollMessage;
    const feeds = feed !== undefined;
    const run: ProjectRun = { project, feeds, instance: index, startMs: nowMs(), endMs: undefined };
    runs.push(run);
    member.busy += 1;
    const { services, gate } = member.instance;
    await time.sleep(member.cpu(cpuMs));
    const polled = await Promise.race([pollProject(services, gate, envelopeOf(message)), member.death]);
    member.busy -= 1;
    takeMessages();
    if (polled?.outcome === 'POLLED') {
      run.endMs = nowMs();
    } else if (polled) {
      runs.splice(runs.indexOf(run), 1);
    }
    deliver();
    if (polled === undefined || polled.outcome === 'BUSY') {
      await redeliver(message);
    }
  };

  const beganMs = nowMs();
  if (killAfterMs !== undefined) {
    void time.sleep(killAfterMs).then(() => members[0]?.kill());
  }
  let roundStartMs = beganMs;
  for (let minute = 0; minute < minutes && !(await isDone()); minute += 1) {
    const minuteMs = nowMs();
    await (projects ? fanOut(harness.services, projects) : scheduled.poll());
    roundStartMs = nowMs();
    takeMessages();
    deliver();
    await time.sleep(minuteMs + MINUTE_MS - nowMs());
  }
  const last = runs.filter(({ startMs }) => startMs >= roundStartMs).map(({ endMs = 0 }) => endMs);
  return {
    runs,
    beganMs,
    minutes: (nowMs() - beganMs) / MINUTE_MS,
    lastRoundMs: Math.max(...last) - roundStartMs,
  };
}

interface Member {
  readonly instance: Instance;
  readonly death: Promise<undefined>;
  busy: number;
  dead: boolean;
  kill(): void;
  /**
   * Reserves the CPU for `ms`, after those who reserved it before.
   *
   * @returns the milliseconds until that time is used
   */
  cpu(ms: number): number;
}

/** An instance. Once it is dead, whatever it waits for never comes, as in a process that was killed. */
function createMember(harness: Watched, time: VirtualTime, sendCpuMs: number): Member {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  let cpuFreeMs = 0;
  const mortal: VirtualTime = {
    sleep: async (...call) => {
      await time.sleep(...call);
      return member.dead ? new Promise(() => {}) : undefined;
    },
  };
  const member: Member = {
    instance: harness.instance((services) =>
      withCpu(withLatency(services, mortal, CALL_MS), () => mortal.sleep(member.cpu(sendCpuMs))),
    ),
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

/** The services, with `compute` before each job that is sent. */
function withCpu(services: Services, compute: () => Promise<void>): Services {
  const { earthEngine } = services;
  return {
    ...services,
    earthEngine: {
      ...earthEngine,
      startExport: async (...call) => {
        await compute();
        return earthEngine.startExport(...call);
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

/** How many polls are missing, if each of so many projects is polled once a minute. */
export const missedPolls = ({ runs, minutes }: Fleet, projects: number): number =>
  projects * minutes - runs.filter(({ feeds, endMs }) => !feeds && endMs !== undefined).length;

/** The longest time between the ends of two polls of a project. */
export function longestGapMs(runs: readonly ProjectRun[]): number {
  const ends = new Map<string, number[]>();
  for (const { project, feeds, endMs } of runs) {
    if (endMs !== undefined && !feeds) {
      ends.set(project, [...(ends.get(project) ?? []), endMs]);
    }
  }
  return Math.max(
    ...[...ends.values()].flatMap((times) => times.slice(1).map((end, n) => end - (times[n] as number))),
  );
}

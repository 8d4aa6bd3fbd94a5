import { parseJobMessage } from '../../shared/message/job-message.ts';
import { smallJob } from '../harness.ts';

/** The required result of a message. */
export type Expected = 'RECORD' | 'REJECTED' | 'ONE_OF_TWO';

export interface PlannedMessage {
  readonly data: string;
  readonly expected: Expected;
  /** The record of the job; undefined if the message is not a valid job. */
  readonly recordId: string | undefined;
}

/** Two Earth Engine projects: a full queue in one must not delay the other. */
export const earthEngineProjects = ['chaos-rivers', 'chaos-cities'] as const;

/** An operation whose description has this word fails. */
export const failing = 'cloudy';

const everyNth = { withoutKey: 5, fails: 7, publishedTwice: 16, damaged: 12, contested: 20 } as const;
const PRIORITIES = 4;

/**
 * Jobs of every kind; invalid messages; jobs that are published twice; and pairs of different jobs with the same key, of
 * which exactly one must win. In the order in which they are published.
 */
export function planMessages(jobs: number, run: string, random: () => number): PlannedMessage[] {
  const messages: PlannedMessage[] = [];
  for (let n = 0; n < jobs; n += 1) {
    const job = jobOf(n, run, 'first');
    const isContested = n % everyNth.contested === 1;
    messages.push(planned(job, isContested ? 'ONE_OF_TWO' : 'RECORD'));
    if (isContested) {
      messages.push(planned(jobOf(n, run, 'second'), 'ONE_OF_TWO'));
    }
    if (n % everyNth.publishedTwice === 2) {
      messages.push(planned(job, 'RECORD'));
    }
    if (n % everyNth.damaged === 3) {
      messages.push(damaged(n / everyNth.damaged, jobOf(n, run, 'damaged')));
    }
  }
  return shuffle(messages, random);
}

function jobOf(n: number, run: string, name: string): Record<string, unknown> {
  const description = `${n % everyNth.fails === 0 ? failing : 'clear'}-${name}-${run}-${n}`;
  const key = n % everyNth.withoutKey === 0 ? {} : { jobKey: `chaos/${run}/${n}` };
  const project = earthEngineProjects[n % earthEngineProjects.length];
  const { jobKey: _none, ...job } = smallJob(
    { project, labels: { chaos: run } },
    { description, priority: { value: n % PRIORITIES } },
  );
  return { ...job, ...key };
}

function planned(job: Record<string, unknown>, expected: Expected): PlannedMessage {
  const reading = parseJobMessage(job, {
    defaultProject: earthEngineProjects[0],
    allowedProjects: ['*'],
    allowedDestinations: ['gs://*'],
  });
  if ('issues' in reading) {
    throw new Error(`A planned job is invalid: ${JSON.stringify(reading.issues)}`);
  }
  return { data: JSON.stringify(job), expected, recordId: reading.job.recordId };
}

/** A job that was damaged on its way. */
function damaged(n: number, job: Record<string, unknown>): PlannedMessage {
  const text = JSON.stringify(job);
  const ways = [
    text.slice(0, -20),
    JSON.stringify({ ...job, unknown: true }),
    JSON.stringify({ ...job, request: {} }),
    `"${'x'.repeat(20_000)}"`,
  ];
  return { data: ways[Math.floor(n) % ways.length] ?? '', expected: 'REJECTED', recordId: undefined };
}

/** Fisher–Yates. */
function shuffle<T>(items: T[], random: () => number): T[] {
  for (let i = items.length - 1; i > 0; i -= 1) {
    const j = Math.floor(random() * (i + 1));
    [items[i], items[j]] = [items[j] as T, items[i] as T];
  }
  return items;
}

import { SECOND_MS } from '../clock.ts';
import type { OutgoingMessage } from '../publisher.ts';
import type { PollRun } from './poll-run.ts';
import { inTurns } from './projects.ts';

/** Beyond a handful of projects, a run publishes one message for each of them instead of working on all of them. */

const PUBLISH_TIMEOUT_MS = 20 * SECOND_MS;

/** The data of a message for one project. */
export interface PollMessage {
  readonly project: string;
  /**
   * Set if the run only feeds the project's queue. It continues the lease that has this token, and ends at `until`, an ISO 8601
   * time. Without this field, the run sweeps the project.
   */
  readonly feed?: { readonly token: string; readonly until: string } | undefined;
}

export const toPublish = (message: PollMessage): OutgoingMessage => ({
  data: Buffer.from(JSON.stringify(message)),
  attributes: {},
});

/** @returns whether all messages were accepted */
export async function fanOut(
  { config, publisher, log, random }: Pick<PollRun, 'config' | 'publisher' | 'log' | 'random'>,
  projects: readonly string[],
): Promise<boolean> {
  // If the instances cannot feed all queues within a minute, those of the first projects must not be fed in each one.
  const messages = inTurns({ random }, projects).map((project) => toPublish({ project }));
  const outcomes = await publisher.publish(config.topics.polls, messages, PUBLISH_TIMEOUT_MS);
  const failure = outcomes.find((outcome) => 'error' in outcome);
  if (failure && 'error' in failure) {
    // A project whose message was accepted is polled twice at the same time, which does no harm.
    log.error('poll.not_fanned_out', failure.error, { projects: projects.length });
    return false;
  }
  log.info('poll.fanned_out', { projects: projects.length });
  return true;
}

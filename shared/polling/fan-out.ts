import { SECOND_MS } from '../clock.ts';
import type { OutgoingMessage } from '../publisher.ts';
import type { PollRun } from './poll-run.ts';

/** Beyond a handful of projects, a run publishes one message for each of them instead of working on all of them. */

const PUBLISH_TIMEOUT_MS = 20 * SECOND_MS;

/** The data of such a message. */
export interface PollMessage {
  readonly project: string;
  /** Only the project's queue is to be fed, by the run that gets the lease which has this token, and until then. */
  readonly feed?: { readonly token: string; readonly until: string } | undefined;
}

export const toPublish = (message: PollMessage): OutgoingMessage => ({
  data: Buffer.from(JSON.stringify(message)),
  attributes: {},
});

/** @returns whether all messages were accepted */
export async function fanOut(
  { config, publisher, log }: Pick<PollRun, 'config' | 'publisher' | 'log'>,
  projects: readonly string[],
): Promise<boolean> {
  const messages = projects.map((project) => toPublish({ project }));
  const outcomes = await publisher.publish(config.topics.polls, messages, PUBLISH_TIMEOUT_MS);
  const failure = outcomes.find((outcome) => 'error' in outcome);
  if (failure && 'error' in failure) {
    // A project that has both gets two polls at the same time, which does no harm.
    log.error('poll.not_fanned_out', failure.error, { projects: projects.length });
    return false;
  }
  log.info('poll.fanned_out', { projects: projects.length });
  return true;
}

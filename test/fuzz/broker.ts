import { expandBatch } from '../../shared/batch/expand-batch.ts';
import { cancelExports } from '../../shared/cancellation/cancel-exports.ts';
import type { Cancellation } from '../../shared/cancellation/cancellation-schema.ts';
import { MINUTE_MS, SECOND_MS } from '../../shared/clock.ts';
import { type Envelope, parseEnvelope } from '../../shared/message/envelope.ts';
import { recordIdOf } from '../../shared/model/ids.ts';
import { submit } from '../../shared/submission/submit.ts';
import type { CancellationFact } from './facts.ts';
import type { Fleet } from './fleet.ts';
import { type FuzzBatch, type FuzzJob, idOf, manifestOf, messageOf } from './jobs.ts';
import type { FuzzProcess } from './process.ts';
import type { World } from './world.ts';

/** Pub/Sub: delivers each message until it is acknowledged, and some of them again after that. */
export interface Broker {
  publishJob(job: FuzzJob, attempt: number): void;
  /** A message that is not a job. */
  publishNonsense(): void;
  publishManifest(batch: FuzzBatch): void;
  publishCancellation(cancellation: Cancellation): void;
  deliverCancellationsAgain(): void;
}

interface Message {
  readonly id: string;
  readonly name: string;
  readonly data: Uint8Array;
  readonly attributes?: Readonly<Record<string, string>>;
  readonly publishedMs: number;
}

const ACK_DEADLINE_MS = 10 * MINUTE_MS;
const MAX_DELAY_MS = 5 * MINUTE_MS;
const MAX_AGAIN_MS = 20 * MINUTE_MS;

export function createBroker(world: World, fleet: Fleet, { hasFreshTimes = false } = {}): Broker {
  const { timeline, dice, facts, harness } = world;
  let messages = 0;
  let taken = 0;

  const createMessage = (name: string, data: Uint8Array, attributes = {}): Message => {
    messages += 1;
    return { id: `message-${messages}`, name, data, attributes, publishedMs: timeline.nowMs() };
  };
  /** Jobs of a batch count from the time of their manifest. */
  const noteJob = ({ data, attributes, publishedMs }: Message): void => {
    const original = attributes?.['originalPublishTime'];
    const id = recordIdIn(data);
    const times = facts.publishedMs.get(id) ?? [];
    facts.publishedMs.set(id, [...times, original === undefined ? publishedMs : Date.parse(original)]);
  };
  /** @returns whether it was acknowledged */
  async function deliverOnce(message: Message, process: FuzzProcess, work: Work): Promise<boolean> {
    world.note(() => `${process.name} gets ${message.id} ${message.name}`);
    const envelope = envelopeOf(message, hasFreshTimes ? timeline.nowMs() : message.publishedMs);
    const handled = process
      .run(() => work(process, envelope))
      .then(
        () => true,
        (error: unknown) => {
          world.note(() => `${process.name} does not acknowledge ${message.id}: ${String(error)}`);
          return false;
        },
      );
    return Promise.race([handled, timeline.sleep(ACK_DEADLINE_MS).then(() => false)]);
  }

  function deliver(
    message: Message,
    kind: 'submit' | 'batch' | 'cancel',
    work: Work,
    acknowledged?: () => void,
  ) {
    const pick = () => (kind === 'submit' ? fleet.submitter() : fleet.single(kind));
    world.keepGoing(async () => {
      await timeline.sleep(dice.chance(0.15) ? dice.whole(0, MAX_DELAY_MS) : dice.whole(10, 2000));
      if (dice.chance(0.1)) {
        world.keepGoing(async () => {
          await timeline.sleep(dice.whole(0, 3000));
          await deliverOnce(message, pick(), work);
        });
      }
      while (!(await deliverOnce(message, pick(), work))) {
        await timeline.sleep(dice.whole(10, 60) * SECOND_MS);
      }
      acknowledged?.();
      if (world.isRough() && dice.chance(0.2)) {
        await timeline.sleep(dice.whole(0, MAX_AGAIN_MS));
        await deliverOnce(message, pick(), work);
      }
    });
  }

  const deliverCancellation = (fact: CancellationFact): void => {
    const { cancellation, messageId: id, publishedMs } = fact;
    const data = Buffer.from(JSON.stringify(cancellation));
    const message = { id, name: `cancellation ${JSON.stringify(cancellation)}`, data, publishedMs };
    deliver(
      message,
      'cancel',
      ({ services }, envelope) => cancelExports(services, envelope),
      () => {
        fact.handledMs ??= timeline.nowMs();
      },
    );
  };
  const deliverJob: Work = ({ services, gate }, envelope) => {
    const id = recordIdIn(envelope.data);
    facts.takenMs.set(id, facts.takenMs.get(id) ?? timeline.nowMs());
    return submit(services, gate, envelope);
  };

  // A batch publishes its jobs itself.
  world.onPublished(() => {
    const { published } = harness.publisher;
    for (; taken < published.length; taken += 1) {
      const entry = published[taken];
      if (entry?.topic === harness.config.topics.jobs) {
        const { data, attributes } = entry.message;
        const message = createMessage('job of a batch', data, attributes);
        noteJob(message);
        deliver(message, 'submit', deliverJob);
      }
    }
  });

  return {
    publishJob: (job, attempt) => {
      facts.published.set(idOf(job, attempt), job);
      const data = Buffer.from(JSON.stringify(messageOf(job, attempt)));
      const message = createMessage(`job ${job.jobKey}, attempt ${attempt}`, data);
      noteJob(message);
      deliver(message, 'submit', deliverJob);
    },
    publishNonsense: () => {
      const message = createMessage('nonsense', Buffer.from('{"nonsense":true}'));
      facts.nonsense.push(message.id);
      deliver(message, 'submit', deliverJob);
    },
    publishManifest: (batch) => {
      facts.manifests.set(batch.id, batch);
      const message = createMessage(`manifest ${batch.id}`, Buffer.from(JSON.stringify(manifestOf(batch))));
      deliver(message, 'batch', ({ services }, envelope) => expandBatch(services, envelope));
    },
    publishCancellation: (cancellation) => {
      const { id, publishedMs } = createMessage('', new Uint8Array());
      const fact = { cancellation, messageId: id, publishedMs };
      facts.cancellations.push(fact);
      deliverCancellation(fact);
    },
    deliverCancellationsAgain: () => {
      for (const fact of facts.cancellations) {
        deliverCancellation(fact);
      }
    },
  };
}

type Work = (process: FuzzProcess, envelope: Envelope) => Promise<unknown>;

/** A push as Pub/Sub makes it, opened. */
function envelopeOf({ id, data, attributes }: Message, publishedMs: number): Envelope {
  const message = {
    data: Buffer.from(data).toString('base64'),
    attributes,
    messageId: id,
    publishTime: new Date(publishedMs).toISOString(),
  };
  const subscription = 'projects/demo-test/subscriptions/fuzz';
  const envelope = parseEnvelope({ headers: {}, body: { message, subscription } });
  if (!envelope) {
    throw new Error('the fuzzer made no envelope');
  }
  return envelope;
}

/** The record of a job message; any id for what is not one. */
function recordIdIn(data: Uint8Array): string {
  const {
    project = '',
    jobKey = '',
    attempt = 1,
  } = JSON.parse(new TextDecoder().decode(data)) as {
    project?: string;
    jobKey?: string;
    attempt?: number;
  };
  return recordIdOf({ project, jobKey, attempt });
}

import { Firestore } from '@google-cloud/firestore';
import { http } from '@google-cloud/functions-framework';
import { PubSub } from '@google-cloud/pubsub';

/*
 * The least possible work: the endpoint, one create, one POST, one update, and one event, with the clients that the service
 * uses, and nothing of the service itself. It validates no job, and does not detect duplicates.
 */

const firestore = new Firestore({ ignoreUndefinedProperties: true });
const events = new PubSub().topic('video-export-events', { batching: { maxMilliseconds: 5 } });
const earthEngine = `http://${process.env['EARTHENGINE_EMULATOR_HOST']}/v1/projects/${process.env['GOOGLE_CLOUD_PROJECT']}`;

interface Push {
  readonly message: { readonly data: string; readonly messageId: string };
}

http('submitExport', async (request, response) => {
  const { message } = request.body as Push;
  const job = JSON.parse(Buffer.from(message.data, 'base64').toString()) as { readonly request: object };
  const requestId = `floor-${message.messageId}`;
  const bytes = Buffer.from(JSON.stringify({ ...job.request, requestId }));
  const record = firestore.doc(`floor/${requestId}`);
  await record.create({ state: 'SUBMITTING', requestId, createdAt: new Date(), request: bytes });
  const answer = await fetch(`${earthEngine}/video:export`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: bytes,
  });
  const operation = (await answer.json()) as { readonly name: string };
  const known = { state: 'PENDING', operation: operation.name, updatedAt: new Date() };
  await events.publishMessage({
    data: Buffer.from(JSON.stringify(known)),
    attributes: { recordId: requestId },
  });
  await record.update(known);
  response.status(204).end();
});

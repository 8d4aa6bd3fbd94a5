import type { HttpFunction } from '@google-cloud/functions-framework';

import { traceFields } from '../shared/log.ts';
import { type Envelope, parseEnvelope } from '../shared/message/envelope.ts';
import { config, drain, loadRuntime, type Runtime } from './runtime.ts';

/**
 * HTTP in, HTTP out. A 2xx answer acknowledges a message, 5xx asks for redelivery; what went wrong is in the log, and
 * never in the answer.
 */

type Request = Parameters<HttpFunction>[0];

/** A function that is called with a POST, and answers with what `work` resolves to as JSON (204 for nothing). */
export function onPost(
  work: (runtime: Runtime, request: Request) => Promise<object | undefined>,
): HttpFunction {
  return async (request, response) => {
    if (request.method !== 'POST') {
      response.set('Allow', 'POST').status(405).end();
      return;
    }
    if (drain.isDraining()) {
      response.status(503).end();
      return;
    }
    const { services, gate } = await loadRuntime();
    const header = request.get('traceparent') ?? request.get('x-cloud-trace-context');
    const log = services.log.with(traceFields(config.googleCloudProject, header));
    try {
      const answer = await drain.track(work({ services: { ...services, log }, gate }, request));
      if (answer === undefined) {
        response.status(204).end();
      } else {
        response.status(200).json(answer);
      }
    } catch (error) {
      if (error instanceof NotAnEnvelope) {
        response.status(400).json({ error: 'the body is neither a Pub/Sub push nor a CloudEvent of one' });
        return;
      }
      log.error('request.failed', error);
      response.status(500).end();
    }
  };
}

class NotAnEnvelope extends Error {
  override readonly name = 'NotAnEnvelope';
}

/** A function that is pushed messages. It resolves when the message may be acknowledged. */
export function onMessage(work: (runtime: Runtime, envelope: Envelope) => Promise<unknown>): HttpFunction {
  return onPost(async (runtime, request) => {
    const { headers, rawBody } = request;
    const envelope = parseEnvelope({ headers, body: request.body as unknown, rawBody });
    if (envelope === undefined) {
      throw new NotAnEnvelope();
    }
    await work(runtime, envelope);
    return undefined;
  });
}

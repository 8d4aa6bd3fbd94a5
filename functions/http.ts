import type { HttpFunction } from '@google-cloud/functions-framework';

import { traceFields } from '../shared/log.ts';
import { type Envelope, parseEnvelope } from '../shared/message/envelope.ts';
import { config, drain, loadRuntime, log, type Runtime } from './runtime.ts';

/**
 * HTTP in, HTTP out. A 2xx answer acknowledges a message, 5xx asks for redelivery; what went wrong is in the log, and
 * never in the answer.
 */

type Request = Parameters<HttpFunction>[0];

/** A status, with a JSON body where there is something to say. */
interface Answer {
  readonly status: number;
  readonly body?: object;
}

/** A function that is called with a POST, and answers with what `work` resolves to as JSON (204 for nothing). */
export function onPost(
  work: (runtime: Runtime, request: Request) => Promise<object | undefined>,
): HttpFunction {
  return async (request, response) => {
    leaveDomain();
    if (request.method !== 'POST') {
      response.set('Allow', 'POST').status(405).end();
      return;
    }
    if (drain.isDraining()) {
      response.status(503).end();
      return;
    }
    // Under way from the first moment: a process that is stopped while its clients load must not drop the request.
    const { status, body } = await drain.track(answer(work, request));
    if (body === undefined) {
      response.status(status).end();
    } else {
      response.status(status).json(body);
    }
  };
}

/**
 * functions-framework runs a request in a domain (node:domain), so that an error which nobody catches is answered all the
 * same. `answer` catches all that there is, and a domain enters and leaves itself with every promise: a third of the
 * processor time of a delivery.
 */
function leaveDomain(): void {
  const { domain } = process as { readonly domain?: { exit(): void } | null };
  domain?.exit();
}

async function answer(
  work: (runtime: Runtime, request: Request) => Promise<object | undefined>,
  request: Request,
): Promise<Answer> {
  const header = request.get('traceparent') ?? request.get('x-cloud-trace-context');
  const traced = log.with(traceFields(config.googleCloudProject, header));
  try {
    const { services, gate } = await loadRuntime();
    const body = await work({ services: { ...services, log: traced }, gate }, request);
    return body === undefined ? { status: 204 } : { status: 200, body };
  } catch (error) {
    if (error instanceof NotAnEnvelope) {
      return { status: 400, body: { error: 'the body is neither a Pub/Sub push nor a CloudEvent of one' } };
    }
    traced.error('request.failed', error);
    return { status: 500 };
  }
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

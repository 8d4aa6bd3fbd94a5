import type { HttpFunction } from '@google-cloud/functions-framework';

import { traceFields } from '../shared/log.ts';
import { type Envelope, parseEnvelope } from '../shared/message/envelope.ts';
import { config, drain, loadRuntime, log, type Runtime } from './runtime.ts';

/**
 * HTTP in, HTTP out. A 2xx response acknowledges a message, 5xx requests redelivery. Errors are logged, and never in the
 * response.
 */

type Request = Parameters<HttpFunction>[0];

/** A status, and a JSON body if there is one. */
interface Answer {
  readonly status: number;
  readonly body?: object;
}

/** A function that is called with POST. It responds with the result of `work` as JSON (204 for undefined). */
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
    // Tracked from the start: a process that is stopped while its clients load must not drop the request.
    const { status, body } = await drain.track(answer(work, request));
    if (body === undefined) {
      response.status(status).end();
    } else {
      response.status(status).json(body);
    }
  };
}

/**
 * functions-framework runs each request in a domain (node:domain), to respond even to uncaught errors. `answer` catches every
 * error, and entering and leaving the domain with each promise would take a third of a delivery's CPU time.
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
      return { status: 400, body: { error: 'the body is neither a Pub/Sub push nor a CloudEvent with one' } };
    }
    traced.error('request.failed', error);
    return { status: 500 };
  }
}

class NotAnEnvelope extends Error {
  override readonly name = 'NotAnEnvelope';
}

/** A function that receives pushed messages. It acknowledges a message when `work` resolves. */
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

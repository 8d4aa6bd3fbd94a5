import type { HttpFunction } from '@google-cloud/functions-framework';

import { SECOND_MS } from '../shared/clock.ts';
import { traceFields } from '../shared/log.ts';
import { type Envelope, parseEnvelope } from '../shared/message/envelope.ts';
import { config, drain, loadRuntime, log, type Runtime } from './runtime.ts';
import { createTurns, NoTurnError } from './turns.ts';

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
 * functions-framework runs each request in a domain (node:domain), to respond even to uncaught errors. Handlers catch every
 * error, and entering and leaving the domain with each promise would take a third of a delivery's CPU time.
 */
export function leaveDomain(): void {
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
    if (error instanceof NoTurnError) {
      traced.info('request.no_turn', { error: error.message });
      return { status: 503 };
    }
    traced.error('request.failed', error);
    return { status: 500 };
  }
}

class NotAnEnvelope extends Error {
  override readonly name = 'NotAnEnvelope';
}

/**
 * A message of 10 MB takes 200 to 400 MB while it is parsed, so an instance has memory for only one at a time. Smaller messages
 * do not wait: together they take less, since an instance gets only a few at once.
 */
const LARGE_BYTES = 1_000_000;
const LARGE_BYTES_AT_ONCE = 10_000_000;
/** Less than the timeout of each function. After it, the function responds with 503, and Pub/Sub redelivers the message. */
const PATIENCE_MS = 30 * SECOND_MS;
const turns = createTurns(LARGE_BYTES_AT_ONCE, PATIENCE_MS);

/** A function that receives pushed messages. It acknowledges a message when `work` resolves. */
export function onMessage(work: (runtime: Runtime, envelope: Envelope) => Promise<unknown>): HttpFunction {
  return onPost(async (runtime, request) => {
    const envelope = takeEnvelope(request);
    const bytes = envelope.data.length;
    if (bytes <= LARGE_BYTES) {
      await work(runtime, envelope);
    } else {
      await turns.take(bytes, async () => {
        if (drain.isDraining()) {
          throw new NoTurnError('The process is stopping');
        }
        await work(runtime, envelope);
      });
    }
    return undefined;
  });
}

/** Leaves the request without its body, which the framework otherwise keeps until the response, twice. */
function takeEnvelope(request: Request): Envelope {
  const { headers, rawBody } = request;
  const envelope = parseEnvelope({ headers, body: request.body as unknown, rawBody });
  request.body = undefined;
  delete request.rawBody;
  if (envelope === undefined) {
    throw new NotAnEnvelope();
  }
  return envelope;
}

import type { IncomingMessage, ServerResponse } from 'node:http';

import { type Clock, MINUTE_MS, SECOND_MS } from '../../shared/clock.ts';
import { securityHeaders } from './answer.ts';
import type { Change, Live } from './live.ts';

/** Proxies close connections on which nothing is sent. */
const BEAT_MS = 20 * SECOND_MS;
/** Less than the timeout of the function, which would end it with an error: the browser then connects again. */
const LONGEST_MS = 50 * MINUTE_MS;
/** A browser that does not read fast enough connects again, rather than fill the memory. */
const BUFFERED_BYTES = 1_000_000;

/** Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html): `hello`, then each `change`. */
export async function sendChanges(
  request: IncomingMessage,
  response: ServerResponse,
  live: Live,
  clock: Clock,
  stopping: AbortSignal,
): Promise<void> {
  response.writeHead(200, {
    ...securityHeaders,
    'cache-control': 'no-store',
    'content-type': 'text/event-stream; charset=utf-8',
    // Some proxies collect a response before they pass it on.
    'x-accel-buffering': 'no',
  });
  if (request.method === 'HEAD') {
    response.end();
    return;
  }
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const end = AbortSignal.any([gone.signal, stopping]);
  const write = (text: string): void => {
    if (response.writableLength > BUFFERED_BYTES) {
      response.destroy();
    } else {
      response.write(text);
    }
  };
  const unsubscribe = live.subscribe((change: Change) =>
    write(`event: change\ndata: ${JSON.stringify(change)}\n\n`),
  );
  write(`retry: 2000\nevent: hello\ndata: ${JSON.stringify({ version: live.version })}\n\n`);
  try {
    for (let ms = 0; ms < LONGEST_MS; ms += BEAT_MS) {
      await clock.sleep(BEAT_MS, end);
      write(': \n\n');
    }
  } catch {
    // The page was closed, or the process stops.
  } finally {
    unsubscribe();
    response.end();
  }
}

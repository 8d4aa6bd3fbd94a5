import { createServer, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';

import type { Target } from '../../infra/targets.ts';
import type { Tally } from './tally.ts';

/**
 * Stands between Pub/Sub and the functions. It passes each delivery to one of the processes, with the faults of networks
 * and at-least-once delivery: deliveries arrive late, and therefore in another order; they arrive several times, at several
 * processes at once or seconds later; and their acknowledgments are lost.
 */
export interface Balancer {
  /** The address of a function. */
  url(target: Target): string;
  /** Ids of messages whose delivery got a 2xx response that was passed on. */
  readonly acknowledged: ReadonlySet<string>;
  /** The request that delivered a message; undefined if it was not delivered yet. */
  delivered(messageId: string): string | undefined;
  /** Requests in progress, including copies. */
  underWay(): number;
  /** Passes a request on without faults. Resolves with the response's status, 502 if the process died meanwhile. */
  call(target: Target, body: string): Promise<number>;
  close(): Promise<void>;
}

export interface BalancerOptions {
  readonly addresses: (target: Target) => readonly string[];
  readonly random: () => number;
  readonly tally: Tally;
  /** Whether faults occur now. */
  readonly isRough: () => boolean;
}

const COPY_LATE_MS = 6000;
const chances = { late: 0.2, copied: 0.12, copiedManyTimes: 0.02, responseLost: 0.06 };
const MANY = 10;

export async function openBalancer({
  addresses,
  random,
  tally,
  isRough,
}: BalancerOptions): Promise<Balancer> {
  const acknowledged = new Set<string>();
  const requests = new Map<string, string>();
  let underWay = 0;

  async function call(target: Target, body: string): Promise<number> {
    underWay += 1;
    try {
      const living = addresses(target);
      const address = living[Math.floor(random() * living.length)];
      if (address === undefined) {
        return 503;
      }
      const headers = { 'content-type': 'application/json' };
      const response = await fetch(address, { method: 'POST', headers, body });
      await response.arrayBuffer();
      return response.status;
    } catch {
      return 502;
    } finally {
      underWay -= 1;
    }
  }

  async function copy(target: Target, body: string, lateMs: number): Promise<void> {
    underWay += 1;
    tally.count('delivery:copied');
    await wait(lateMs);
    const status = await call(target, body);
    underWay -= 1;
    tally.count(`copy response:${status}`);
  }

  /** @returns the status to pass on; undefined to break the connection */
  async function deliver(target: Target, body: string): Promise<number | undefined> {
    tally.count('delivery:received');
    if (!isRough()) {
      return call(target, body);
    }
    if (random() < chances.copied) {
      void copy(target, body, random() < 0.5 ? 0 : random() * COPY_LATE_MS);
    }
    if (random() < chances.copiedManyTimes) {
      for (let n = 1; n < MANY; n += 1) {
        void copy(target, body, 0);
      }
    }
    if (random() < chances.late) {
      // Redelivered later, behind others. A delay here would block one of the emulator's two push connections.
      tally.count('delivery:deferred');
      return 503;
    }
    const status = await call(target, body);
    if (random() < chances.responseLost) {
      tally.count('delivery:response lost');
      return undefined;
    }
    return status;
  }

  const server = createServer((request, response) => {
    void (async () => {
      const target = (request.url ?? '/').slice(1) as Target;
      const body = await textOf(request);
      requests.set(messageIdIn(body), body);
      const status = await deliver(target, body);
      if (status === undefined) {
        request.socket.destroy();
        return;
      }
      tally.count(`response:${status}`);
      if (status < 300) {
        acknowledged.add(messageIdIn(body));
      }
      response.writeHead(status).end();
    })();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: (target) => `http://127.0.0.1:${port}/${target}`,
    acknowledged,
    delivered: (messageId) => requests.get(messageId),
    underWay: () => underWay,
    call,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) {
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString();
}

const messageIdIn = (body: string): string =>
  (JSON.parse(body) as { readonly message: { readonly messageId: string } }).message.messageId;

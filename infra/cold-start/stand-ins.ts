import { createServer, type IncomingMessage, type Server } from 'node:http';
import { createServer as createHttp2Server, type Http2Server, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';

import { field, fieldsOf, integer } from './protobuf.ts';

/**
 * Stand-ins for Firestore, Pub/Sub, and Earth Engine, so a function can handle a message while its image is built. Their
 * responses have only what the clients read. The emulators and the simulator are too large for an image.
 */

/** The bytes before each message of gRPC: whether it is compressed, and its length. */
const PREFIX_BYTES = 5;

/**
 * Listens on a free port of this machine.
 *
 * @returns host:port
 */
export async function listen(server: Server | Http2Server): Promise<string> {
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A google.protobuf.Timestamp: one second after the epoch. */
const time = integer(1, 1);

/** The messages with which each method answers a request. */
type Methods = Readonly<Record<string, (request: Buffer) => readonly Buffer[]>>;

/**
 * Every write succeeds, a document can be read after it was written, and no query finds anything. The numbers are the IDs of
 * fields in google/firestore/v1 and google/pubsub/v1.
 */
function methods(): Methods {
  const documents = new Map<string, Buffer>();
  return {
    BatchGetDocuments: (request) =>
      fieldsOf(request, 2).map((name) => {
        const document = documents.get(name.toString());
        const result = document ? field(1, document, field(3, time), field(4, time)) : field(2, name);
        return Buffer.concat([result, field(4, time)]);
      }),
    Commit: (request) => {
      const writes = fieldsOf(request, 2);
      for (const document of writes.flatMap((write) => fieldsOf(write, 1))) {
        const name = String(fieldsOf(document, 1)[0]);
        // Messages one after another are read as one. If both have a field, the later value counts.
        documents.set(name, Buffer.concat([documents.get(name) ?? Buffer.of(), document]));
      }
      return [Buffer.concat([...writes.map(() => field(1, field(1, time))), field(2, time)])];
    },
    RunQuery: () => [field(3, time)],
    RunAggregationQuery: () => [
      Buffer.concat([field(1, field(2, field(1, 'aggregate_0'), field(2, integer(2, 0)))), field(3, time)]),
    ],
    Publish: (request) => [Buffer.concat(fieldsOf(request, 2).map(() => field(1, '1')))],
  };
}

/** Responds as gRPC does: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md */
async function respond(stream: ServerHttp2Stream, method: Methods[string] | undefined): Promise<void> {
  const body = Buffer.concat((await stream.toArray()) as Buffer[]);
  const headers = { ':status': 200, 'content-type': 'application/grpc' };
  if (!method) {
    // UNIMPLEMENTED
    stream.respond({ ...headers, 'grpc-status': '12' }, { endStream: true });
    return;
  }
  stream.respond(headers, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  for (const message of method(body.subarray(PREFIX_BYTES))) {
    const prefix = Buffer.alloc(PREFIX_BYTES);
    prefix.writeUInt32BE(message.length, 1);
    stream.write(Buffer.concat([prefix, message]));
  }
  stream.end();
}

export function firestoreAndPubsub(): Http2Server {
  const server = createHttp2Server();
  const known = methods();
  server.on('stream', (stream, { ':path': path = '' }) => {
    respond(stream, known[path.slice(path.lastIndexOf('/') + 1)]).catch((error: unknown) =>
      stream.destroy(error as Error),
    );
  });
  return server;
}

/** Earth Engine accepts any export, and has no operations. */
export function earthEngine(project: string): Server {
  const start = (request: { readonly description: string }) => ({
    name: `projects/${project}/operations/1`,
    metadata: {
      state: 'PENDING',
      type: 'EXPORT_VIDEO',
      description: request.description,
      createTime: '2026-01-01T00:00:00Z',
    },
  });
  const respondTo = async (request: IncomingMessage): Promise<object> =>
    request.method === 'POST' ? start((await json(request)) as { description: string }) : { operations: [] };
  return createServer((request, response) => {
    respondTo(request).then(
      (body) => response.setHeader('content-type', 'application/json').end(JSON.stringify(body)),
      (error: unknown) => response.destroy(error as Error),
    );
  });
}

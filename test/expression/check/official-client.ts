import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import { ee as client, initialize } from '../../earth-engine-client.ts';
import { algorithmNames, signatureOf } from '../../../shared/expression/check/signatures.ts';

/**
 * Google's JavaScript client, which knows all algorithms of the table of signatures, and sends its exports here instead of to
 * Earth Engine.
 */

// The client has no types, and its methods are made at run time from the list of algorithms.
// oxlint-disable-next-line typescript/no-explicit-any
export type Client = any;

export interface OfficialClient {
  readonly ee: Client;
  /** What the client would send to Earth Engine to export a collection as a video. */
  request(collection: Client, options?: object): Promise<ClientRequest>;
  close(): Promise<void>;
}

export interface ClientRequest {
  readonly expression: {
    readonly values: Readonly<Record<string, object>>;
    readonly result: string;
  };
  readonly videoOptions?: { readonly maxFrames?: number; readonly maxPixelsPerFrame?: string };
}

export async function startOfficialClient(): Promise<OfficialClient> {
  const ee = client as Client;
  const sent: ClientRequest[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      response.setHeader('content-type', 'application/json');
      if (request.method === 'POST' && request.url?.includes('video:export')) {
        sent.push(JSON.parse(Buffer.concat(chunks).toString()) as ClientRequest);
        response.end(
          JSON.stringify({ name: 'projects/my-project/operations/A', metadata: { state: 'PENDING' } }),
        );
      } else {
        response.end(JSON.stringify({ algorithms: listed() }));
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { setTimeout: wait } = globalThis;
  // The client waits 350 ms between two requests.
  globalThis.setTimeout = ((work: () => void) => wait(work, 0)) as typeof setTimeout;
  await initialize(url, 'my-project');
  return {
    ee,
    request: (collection, options = {}) =>
      new Promise((resolve, reject) => {
        const task = ee.batch.Export.video.toCloudStorage({
          collection,
          description: 'test',
          bucket: 'my-bucket',
          fileNamePrefix: 'test',
          dimensions: 720,
          region: ee.Geometry.Rectangle([7, 45, 9, 47], null, false),
          ...options,
        });
        task.start(
          () => resolve(sent.at(-1) as ClientRequest),
          (message: string) => reject(new Error(message)),
        );
      }),
    close: async () => {
      ee.reset();
      globalThis.setTimeout = wait;
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The table in the form in which Earth Engine lists its algorithms. */
function listed(): object[] {
  return algorithmNames().flatMap((name) => {
    const signature = signatureOf(name);
    return signature
      ? [
          {
            name: `algorithms/${name}`,
            returnType: signature.returns,
            arguments: [...signature.args.values()].map((argument) => ({
              argumentName: argument.name,
              type: argument.type,
              optional: argument.optional,
              defaultValue: argument.default,
            })),
          },
        ]
      : [];
  });
}

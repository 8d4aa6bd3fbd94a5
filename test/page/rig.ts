import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';

import { buildAssets } from '../../infra/build-page.ts';
import { createMemoryStore, type MemoryStore } from '../../infra/local/memory/store.ts';
import { inProcessStorage } from '../../infra/local/storage/in-process.ts';
import { createStorage, type SimulatedStorage } from '../../infra/local/storage/storage.ts';
import type { Assets } from '../../page/server/assets.ts';
import { createPage, type PageServices } from '../../page/server/app.ts';
import { type Clock, systemClock } from '../../shared/clock.ts';
import { readConfig } from '../../shared/config.ts';
import { createLog } from '../../shared/log.ts';
import type { ExportRecord } from '../../shared/model/record.ts';
import { isReadable, type Store } from '../../shared/store/store.ts';

export const root = resolve(import.meta.dirname, '..', '..');

/** The page over HTTP, in this process. */
export interface ServedPage extends AsyncDisposable {
  readonly url: string;
  readonly store: MemoryStore;
  readonly buckets: SimulatedStorage;
  /** Closes every connection, as a restart of the server does. */
  disconnect(): void;
  /** What the page logged. */
  readonly lines: readonly string[];
  /** Takes milliseconds that the server needed, by path. */
  readonly times: readonly { readonly path: string; readonly ms: number }[];
}

let built: Promise<Assets> | undefined;

export async function servePage({
  store = createMemoryStore(),
  seen = store,
  clock = systemClock,
  services = {},
}: {
  readonly store?: MemoryStore;
  /** The store as the page sees it, such as one that counts. */
  readonly seen?: Store;
  readonly clock?: Clock;
  readonly services?: Partial<PageServices>;
} = {}): Promise<ServedPage> {
  built ??= buildAssets(root);
  const buckets = createStorage();
  const lines: string[] = [];
  const times: { path: string; ms: number }[] = [];
  const stopping = new AbortController();
  const page = createPage({
    store: seen,
    config: readConfig({ GOOGLE_CLOUD_PROJECT: 'demo-videos' }),
    clock,
    log: createLog(
      (line) => lines.push(line),
      () => clock.now(),
    ),
    assets: await built,
    stopping: stopping.signal,
    storage: async () => inProcessStorage(buckets),
    ...services,
  });
  const server = createServer((request, response) => {
    const startedAt = performance.now();
    void page
      .handle(request, response)
      .then(() => times.push({ path: request.url ?? '', ms: performance.now() - startedAt }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    store,
    buckets,
    disconnect: () => server.closeAllConnections(),
    lines,
    times,
    async [Symbol.asyncDispose]() {
      stopping.abort();
      page.close();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Writes a record as a function would. */
export async function changeRecord(
  { records }: Store,
  id: string,
  changes: Partial<ExportRecord>,
): Promise<void> {
  const found = await records.get(id);
  if (!found || !isReadable(found)) {
    throw new Error(`no record ${id}`);
  }
  await records.replace(found, { ...found.value, ...changes, updatedAt: new Date() } as ExportRecord);
}

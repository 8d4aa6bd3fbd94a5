import type { IncomingMessage, ServerResponse } from 'node:http';

import type { Clock } from '../../shared/clock.ts';
import type { Config } from '../../shared/config.ts';
import type { Log } from '../../shared/log.ts';
import { isReadable, type Store } from '../../shared/store/store.ts';
import { isDocumentId } from '../../shared/store/limits.ts';
import { type CloudStorage, StorageError } from '../../shared/storage/api.ts';
import type { Frame } from '../components/app.tsx';
import { batchesList, batchPage } from '../views/batches.ts';
import { exportPage } from '../views/export.ts';
import { exportsList, MAX_ROWS, PAGE_ROWS } from '../views/exports.ts';
import { filterQuery, readFilter } from '../views/filter.ts';
import { createOverview, type Overview } from '../views/overview.ts';
import { videoOf } from '../views/video-object.ts';
import type { ProblemView, View } from '../views/view.ts';
import { type Answer, send } from './answer.ts';
import { type Assets, sendAsset } from './assets.ts';
import { renderPage } from './html.tsx';
import { createLive } from './live.ts';
import { sendChanges } from './stream.ts';
import { sendVideo } from './video.ts';
import { createViewCache, type MadeView } from './view-cache.ts';

export interface PageServices {
  readonly store: Store;
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Log;
  readonly assets: Assets;
  /** Aborted when the process must end: open streams are closed. */
  readonly stopping: AbortSignal;
  /** Loads Cloud Storage's client, to show a video. */
  readonly storage: () => Promise<CloudStorage>;
}

/** The read-only page, apart from the server that runs it. */
export interface Page {
  handle(request: IncomingMessage, response: ServerResponse): Promise<void>;
  close(): void;
}

/** How long a page waits for a slow part: not long enough to be slow itself. */
const FIRST_PATIENCE_MS = 200;
/** A page that is shown already waits longer for what it lacks, rather than ask again and again. */
const LATER_PATIENCE_MS = 1000;

export function createPage(services: PageServices): Page {
  const { store, config, clock, log, assets, stopping } = services;
  const live = createLive(store, clock, log);
  const cache = createViewCache(live, clock);
  const viewAt = createViews(services, createOverview(store, config, clock, log, stopping));

  const make = async (path: string, query: URLSearchParams, patienceMs: number): Promise<MadeView> => {
    const found = viewAt(path, query, patienceMs);
    if (!found) {
      return { view: problem(404), version: live.version, at: clock.now() };
    }
    // A page about one record is cheap, and must be true right after an event.
    return found.isShared
      ? cache.get(found.key, found.make)
      : { version: live.version, at: clock.now(), view: await found.make() };
  };

  const frameOf = ({ view, version, at }: MadeView): Frame => ({
    project: config.googleCloudProject,
    now: at.toISOString(),
    version,
    view,
  });

  const document = async (path: string, query: URLSearchParams): Promise<Answer> => {
    const made = await make(path, query, FIRST_PATIENCE_MS);
    const { view } = made;
    return {
      status: view.kind === 'problem' ? view.status : 200,
      type: 'html',
      body: renderPage(frameOf(made), assets),
    };
  };

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const address = addressOf(request.url);
    if (!address) {
      return send(request, response, { status: 404, type: 'text', body: 'There is no such page.\n' });
    }
    const { pathname, searchParams } = address;
    if (pathname === '/healthz') {
      return send(request, response, { type: 'text', body: 'ok\n' });
    }
    if (isFromElsewhere(request, pathname)) {
      return send(request, response, {
        status: 403,
        type: 'text',
        body: 'Only its own pages may use this.\n',
      });
    }
    if (pathname === '/api/stream') {
      return sendChanges(request, response, live, clock, stopping);
    }
    const [, videoId] = /^\/exports\/([^/]+)\/video$/.exec(pathname) ?? [];
    if (videoId !== undefined) {
      return answerVideo(request, response, services, decode(videoId));
    }
    if (pathname.startsWith('/assets/')) {
      if (sendAsset(request, response, assets, pathname.slice('/assets/'.length))) {
        return undefined;
      }
    } else if (pathname === '/api/views' || pathname.startsWith('/api/views/')) {
      const path = pathname.slice('/api/views'.length) || '/';
      const made = await make(path, searchParams, LATER_PATIENCE_MS);
      const status = made.view.kind === 'problem' ? made.view.status : 200;
      return send(request, response, { status, type: 'json', body: JSON.stringify(frameOf(made)) });
    } else if (pathname.startsWith('/api/')) {
      return send(request, response, await recordAnswer(store, pathname));
    }
    return send(request, response, await document(pathname, searchParams));
  };

  return {
    async handle(request, response) {
      if (request.method !== 'GET' && request.method !== 'HEAD') {
        response.writeHead(405, { allow: 'GET, HEAD' });
        response.end();
        return;
      }
      try {
        await answer(request, response);
      } catch (error) {
        log.error('page.failed', error);
        if (response.headersSent) {
          response.destroy();
          return;
        }
        await send(request, response, failed(request, services));
      }
    },
    close: () => live.close(),
  };
}

const ORIGIN = 'http://page';

/** Undefined for what names another server, such as `//name`, or cannot be an address. */
function addressOf(url = '/'): URL | undefined {
  const address = URL.parse(url, ORIGIN);
  return address?.origin === ORIGIN ? address : undefined;
}

const problem = (status: ProblemView['status']): ProblemView => ({ kind: 'problem', status });

function failed({ url = '' }: IncomingMessage, { assets, config, clock }: PageServices): Answer {
  if (url.startsWith('/api/')) {
    return {
      status: 500,
      type: 'json',
      body: JSON.stringify({ error: 'The server could not read its data.' }),
    };
  }
  const frame: Frame = {
    project: config.googleCloudProject,
    now: clock.now().toISOString(),
    version: 0,
    view: problem(500),
  };
  return { status: 500, type: 'html', body: renderPage(frame, assets) };
}

/**
 * Whether another site's page makes the request. Browsers would not give it the response; this also saves the reads that it
 * costs. Following a link from elsewhere is allowed.
 */
const isFromElsewhere = ({ headers }: IncomingMessage, path: string): boolean =>
  headers['sec-fetch-site'] === 'cross-site' &&
  (headers['sec-fetch-mode'] !== 'navigate' || path.startsWith('/api/'));

async function answerVideo(
  request: IncomingMessage,
  response: ServerResponse,
  { store, config, storage, log }: PageServices,
  id: string | undefined,
): Promise<void> {
  const found = id === undefined ? undefined : await store.records.get(id);
  const video = found && isReadable(found) ? videoOf(found.value, config.allowedDestinations) : undefined;
  if (!video) {
    return send(request, response, { status: 404, type: 'text', body: 'There is no video.\n' });
  }
  try {
    await sendVideo(request, response, video, await storage());
  } catch (error) {
    if (!(error instanceof StorageError)) {
      throw error;
    }
    // The player shows that it cannot play; the reason is for operators.
    log.warning('page.video_failed', { recordId: id, kind: error.kind });
    response.destroy();
  }
  return undefined;
}

/** The view of an address; undefined if there is no such page. */
type Views = (
  path: string,
  query: URLSearchParams,
  patienceMs: number,
) => { readonly key: string; readonly isShared: boolean; readonly make: () => Promise<View> } | undefined;

function createViews({ store, clock, config }: PageServices, overview: Overview): Views {
  const shared = (key: string, make: () => Promise<View>) => ({ key, isShared: true, make });
  return (path, query, patienceMs) => {
    const [section = '', encoded, ...rest] = path.split('/').slice(1);
    const id = encoded === undefined || encoded === '' ? undefined : decode(encoded);
    const after = query.get('after') ?? undefined;
    if (rest.length > 0 || (encoded !== undefined && id === undefined)) {
      return undefined;
    }
    if (path === '/') {
      return shared('/', () => overview.read(patienceMs));
    }
    if (section === 'batches') {
      return id === undefined
        ? shared(`/batches?${after ?? ''}`, () => batchesList(store, after))
        : shared(`/batches/${id}`, async () => (await batchPage(store, id)) ?? problem(404));
    }
    if (section === 'exports' && id === undefined) {
      const filter = readFilter(query);
      const limit = limitOf(query);
      if (limit === undefined) {
        return { key: path, isShared: false, make: async () => problem(400) };
      }
      return shared(`/exports${filterQuery(filter, after)} ${limit}`, () =>
        exportsList(store, clock, { filter, after, limit, patienceMs }),
      );
    }
    if (section === 'exports' && id !== undefined) {
      const make = async (): Promise<View> => {
        const found = await store.records.get(id);
        if (!found) {
          return problem(404);
        }
        if (!isReadable(found)) {
          return problem(422);
        }
        return exportPage(store, found, config.allowedDestinations, query.has('request'));
      };
      return { key: path, isShared: false, make };
    }
    return undefined;
  };
}

/** How many rows a script asks for; undefined if it is no number of rows. */
function limitOf(query: URLSearchParams): number | undefined {
  const limit = query.get('limit') ?? String(PAGE_ROWS);
  return /^[1-9]\d{0,8}$/.test(limit) ? Math.min(MAX_ROWS, Number(limit)) : undefined;
}

/** An id in an address; undefined if no document can have it. */
function decode(encoded: string): string | undefined {
  try {
    const id = decodeURIComponent(encoded);
    return isDocumentId(id) ? id : undefined;
  } catch {
    return undefined;
  }
}

/** `/api/exports/{recordId}`, and its request, as JSON. */
async function recordAnswer({ records }: Store, path: string): Promise<Answer> {
  const json = (status: number, value: unknown): Answer => ({
    status,
    type: 'json',
    body: JSON.stringify(value),
  });
  const [, encoded = '', request] = /^\/api\/exports\/([^/]+)(\/request)?$/.exec(path) ?? [];
  const id = decode(encoded);
  const found = id === undefined ? undefined : await records.get(id);
  if (id === undefined || !found) {
    return json(404, { error: 'There is no such record.' });
  }
  if (request !== undefined) {
    const bytes = await records.readRequest(id).catch(() => undefined);
    return bytes
      ? {
          type: 'json',
          body: bytes,
          headers: { 'content-disposition': `attachment; filename="request.json"` },
        }
      : json(404, { error: 'The record has no request that can be read.' });
  }
  return isReadable(found)
    ? json(200, { id, ...found.value })
    : json(422, { id, error: found.unreadable.message });
}

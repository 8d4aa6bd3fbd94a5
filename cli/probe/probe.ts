import type { Clock } from '../../shared/clock.ts';
import { EarthEngineError } from '../../shared/earth-engine/api.ts';
import { encodeSegment, type EarthEngineOptions, send } from '../../shared/earth-engine/http.ts';
import { isOperationName } from '../../shared/earth-engine/operation.ts';
import { isJsonObject, type JsonObject } from '../../shared/json.ts';
import type { Observations } from './judge.ts';

/** One tiny export, canceled at once, and what Earth Engine says about it. */

export interface ProbeWorld {
  readonly connection: Omit<EarthEngineOptions, 'observer'>;
  readonly clock: Clock;
  readonly interrupted: AbortSignal;
  readonly project: string;
  readonly bucket: string;
  /** A new request ID. */
  readonly requestId: string;
}

const TIMEOUT_MS = 60_000;
/** How long to wait for the operation in the list, and for its end. */
const PATIENCE_MS = 60_000;
const LOOK_EVERY_MS = 2000;
const PAGE_SIZE = 500;
const MAX_PAGES = 20;

type Call = (kind: 'export' | 'get' | 'list' | 'cancel', path: string, body?: object) => Promise<JsonObject>;

/** @throws EarthEngineError if the export is refused, or if a call gets no response */
export async function probe(world: ProbeWorld): Promise<Observations> {
  const { clock, requestId } = world;
  let restricted: boolean | undefined;
  const call = createCall(world, (value) => {
    restricted = value;
  });
  const description = `ee-video-exports-probe_${requestId}`;
  const request = probeRequest(world, description);
  const startedAt = clock.now().getTime();
  const started = await call('export', 'video:export', request);
  const name = nameOf(started);
  const left = new Set([name]);
  const cancelAll = async () => {
    for (const each of left) {
      await call('cancel', `operations/${idOf(each)}:cancel`, {});
      left.delete(each);
    }
  };
  try {
    const got = await call('get', `operations/${idOf(name)}`);
    await cancelAll();
    const canceledAt = clock.now().getTime();
    const again = async (body: object) => {
      const answer = await orRefusal(call('export', 'video:export', body));
      if (!(answer instanceof EarthEngineError) && nameOf(answer) !== name) {
        left.add(nameOf(answer));
      }
      await cancelAll();
      return answer;
    };
    const replay = await again(request);
    // If IDs are not remembered, this would only start one operation more.
    const other =
      replay instanceof EarthEngineError || nameOf(replay) !== name
        ? replay
        : await again({ ...request, description: `other_${requestId}` });
    const list = await findInList(world, call, name);
    const listedAfterMs = clock.now().getTime() - startedAt;
    const missing = await orRefusal(call('get', 'operations/THEREISNOSUCHOPERATION00'));
    const ended = await untilEnded(world, call, name);
    const endedAfterMs = clock.now().getTime() - canceledAt;
    return {
      description,
      name,
      started,
      got,
      replay,
      other,
      missing,
      ...list,
      listedAfterMs,
      ended,
      endedAfterMs,
      restricted,
    };
  } finally {
    await cancelAll();
  }
}

/** An 8 by 8 pixel video of one black frame, with three 8-bit bands. */
function probeRequest({ requestId, bucket }: ProbeWorld, description: string) {
  const invoke = (functionName: string, given: object) => ({
    functionInvocationValue: { functionName, arguments: given },
  });
  const black = invoke('Image.constant', { value: { constantValue: [0, 0, 0] } });
  const square = {
    constantValue: [
      [
        [0, 0],
        [0, 0.01],
        [0.01, 0.01],
        [0.01, 0],
      ],
    ],
  };
  const frame = invoke('Image.clipToBoundsAndScale', {
    input: invoke('Image.visualize', {
      image: black,
      min: { constantValue: 0 },
      max: { constantValue: 255 },
    }),
    geometry: invoke('GeometryConstructors.Polygon', {
      coordinates: square,
      evenOdd: { constantValue: true },
    }),
    maxDimension: { constantValue: 8 },
  });
  return {
    expression: {
      result: '0',
      values: { '0': invoke('ImageCollection.fromImages', { images: { arrayValue: { values: [frame] } } }) },
    },
    description,
    videoOptions: { framesPerSecond: 1, maxFrames: 1 },
    fileExportOptions: {
      fileFormat: 'MP4',
      cloudStorageDestination: { bucket, filenamePrefix: `ee-video-exports-probe/${requestId}` },
    },
    requestId,
  };
}

/** Calls of the project, as raw JSON. */
function createCall({ connection, project }: ProbeWorld, onRestricted: (value: boolean) => void): Call {
  const options = {
    ...connection,
    observer: { quotaStatus: (_project: string, value: boolean) => onRestricted(value) },
  };
  return async (kind, path, body) => {
    const address = `/v1/projects/${encodeSegment(project)}/${path}`;
    const bytes = body && new TextEncoder().encode(JSON.stringify(body));
    const name = `${body ? 'POST' : 'GET'} ${address.replace(/\?.*$/, '')}`;
    const json = await send(options, { kind, name }, project, address, bytes, { timeoutMs: TIMEOUT_MS });
    return isJsonObject(json) ? json : {};
  };
}

async function findInList(
  { clock, interrupted }: ProbeWorld,
  call: Call,
  name: string,
): Promise<Pick<Observations, 'listed' | 'firstPage'>> {
  const end = clock.now().getTime() + PATIENCE_MS;
  for (;;) {
    const found = await readList(call, name);
    if (found.listed || clock.now().getTime() >= end) {
      return found;
    }
    await clock.sleep(LOOK_EVERY_MS, interrupted);
  }
}

async function readList(call: Call, name: string): Promise<Pick<Observations, 'listed' | 'firstPage'>> {
  let firstPage: readonly JsonObject[] | undefined;
  let token = '';
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const after = token === '' ? '' : `&pageToken=${encodeURIComponent(token)}`;
    const { operations, nextPageToken } = await call('list', `operations?pageSize=${PAGE_SIZE}${after}`);
    const shown = Array.isArray(operations) ? operations.filter(isJsonObject) : [];
    firstPage ??= shown;
    const listed = shown.find((operation) => operation['name'] === name);
    token = typeof nextPageToken === 'string' ? nextPageToken : '';
    if (listed || token === '') {
      return { listed, firstPage };
    }
  }
  return { listed: undefined, firstPage: firstPage ?? [] };
}

async function untilEnded({ clock, interrupted }: ProbeWorld, call: Call, name: string): Promise<JsonObject> {
  const end = clock.now().getTime() + PATIENCE_MS;
  for (;;) {
    const operation = await call('get', `operations/${idOf(name)}`);
    if (operation['done'] === true || clock.now().getTime() >= end) {
      return operation;
    }
    await clock.sleep(LOOK_EVERY_MS, interrupted);
  }
}

async function orRefusal(answer: Promise<JsonObject>): Promise<JsonObject | EarthEngineError> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof EarthEngineError && error.kind !== 'NOT_SENT') {
      return error;
    }
    throw error;
  }
}

function nameOf({ name }: JsonObject): string {
  if (!isOperationName(name)) {
    throw new Error('Earth Engine answered with an operation that has no usable name.');
  }
  return name;
}

const idOf = (name: string): string => encodeSegment(name.slice(name.lastIndexOf('/') + 1));

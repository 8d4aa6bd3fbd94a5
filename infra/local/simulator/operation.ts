import type { SimulatorSettings } from './settings.ts';
import type { RequestedVideo } from './video.ts';

export type SimulatedState = 'PENDING' | 'RUNNING' | 'CANCELLING' | 'SUCCEEDED' | 'CANCELLED' | 'FAILED';

/** Oddities of this operation's JSON: see QuirkRates. */
export interface Quirks {
  readonly missingFields: boolean;
  readonly doneWithNeither: boolean;
  readonly unknownState: boolean;
  readonly epochStart: boolean;
}

/** An operation as the simulator stores it. Times are in milliseconds since 1970. */
export interface SimulatedOperation {
  readonly name: string;
  readonly project: string;
  readonly requestId: string | undefined;
  /** The caller that started it. */
  readonly identity: string;
  /** SHA-256 of the request's bytes, hex. */
  readonly sha256: string;
  readonly description: string;
  readonly destination: string;
  readonly destinationUri: string;
  readonly priority: number;
  /** Why its video cannot be made. */
  readonly frameProblem: string | undefined;
  readonly video: RequestedVideo;
  readonly quirks: Quirks;
  readonly createMs: number;
  state: SimulatedState;
  startMs: number | undefined;
  /** Earth Engine's own attempt, from 1, and when it started. */
  attempt: number;
  attemptMs: number;
  /** When its state changes next: the end of a run or of a cancellation. Infinity if no change is scheduled. */
  nextMs: number;
  /** When its run ends unless it is canceled. Progress is measured against this. */
  plannedEndMs: number;
  endMs: number | undefined;
  cancelRequested: boolean;
  /** It makes no more progress. */
  stalled: boolean;
  error: { readonly code: number; readonly message: string } | undefined;
  /** Earth Engine forgot it: 404, and not listed. */
  forgotten: boolean;
  /** Its JSON, cached while nothing in it can change: most operations of a list page are like this. */
  json: string | undefined;
}

const TYPE_URL = 'type.googleapis.com/google.earthengine.v1';
/** Where a stalled operation stops, as observed in the field. */
const STALLED_PROGRESS = 0.737;
const FRAMES = 120;
/** EECU-seconds per second of run time. */
const EECU_RATE = 3.2;

export function isEnded(state: SimulatedState): boolean {
  return state === 'SUCCEEDED' || state === 'CANCELLED' || state === 'FAILED';
}

/** @param first whether this is the response to the export call that created it */
export function operationJson(
  operation: SimulatedOperation,
  nowMs: number,
  settings: Pick<SimulatorSettings, 'omitDescription'>,
  first = false,
): string {
  if (operation.json !== undefined) {
    return operation.json;
  }
  const json = JSON.stringify(describe(operation, nowMs, settings, first));
  const moving = operation.state === 'RUNNING' || operation.state === 'CANCELLING';
  if (!moving && !first) {
    operation.json = json;
  }
  return json;
}

function describe(
  operation: SimulatedOperation,
  nowMs: number,
  { omitDescription }: Pick<SimulatorSettings, 'omitDescription'>,
  first: boolean,
): object {
  const { state, quirks, startMs, endMs, error } = operation;
  const ended = isEnded(state);
  const progress = progressOf(operation, nowMs);
  const lacking = quirks.missingFields;
  const metadata = {
    '@type': `${TYPE_URL}.OperationMetadata`,
    state:
      lacking && first
        ? undefined
        : quirks.unknownState && state === 'RUNNING'
          ? 'PAUSED_BY_SCHEDULER'
          : state,
    type: lacking ? undefined : 'EXPORT_VIDEO',
    description: omitDescription ? undefined : operation.description,
    priority: operation.priority,
    createTime: iso(operation.createMs),
    updateTime: lacking ? undefined : iso(endMs ?? (startMs === undefined ? operation.createMs : nowMs)),
    startTime: startMs === undefined ? (quirks.epochStart ? iso(0) : undefined) : iso(startMs),
    endTime: endMs === undefined ? undefined : iso(endMs),
    progress: startMs === undefined || lacking ? undefined : progress,
    stages: startMs === undefined || lacking ? undefined : stages(progress, state === 'SUCCEEDED'),
    attempt: startMs === undefined ? undefined : operation.attempt,
    destinationUris: state === 'SUCCEEDED' && !lacking ? [operation.destinationUri] : undefined,
    batchEecuUsageSeconds: eecuSecondsOf(operation, nowMs),
  };
  return {
    name: operation.name,
    metadata,
    // Proto3 JSON omits false.
    done: ended || undefined,
    error: ended && !quirks.doneWithNeither ? error : undefined,
    response:
      state === 'SUCCEEDED' && !quirks.doneWithNeither
        ? { '@type': `${TYPE_URL}.ExportVideoResponse` }
        : undefined,
  };
}

function progressOf(operation: SimulatedOperation, nowMs: number): number {
  const { state, startMs, attemptMs, endMs = nowMs, plannedEndMs, stalled } = operation;
  if (state === 'SUCCEEDED') {
    return 1;
  }
  if (startMs === undefined) {
    return 0;
  }
  if (stalled) {
    return STALLED_PROGRESS;
  }
  return Math.min(1, Math.max(0, (endMs - attemptMs) / Math.max(1, plannedEndMs - attemptMs)));
}

/** It grows while the operation runs. Only a success has a final value: failed tasks get no usage metrics. */
function eecuSecondsOf({ state, startMs, endMs }: SimulatedOperation, nowMs: number): number | undefined {
  return startMs === undefined || state === 'FAILED' || state === 'CANCELLED'
    ? undefined
    : (((endMs ?? nowMs) - startMs) / 1000) * EECU_RATE;
}

/** As Earth Engine reports them: the first stage has no work units. */
function stages(progress: number, complete: boolean): object[] {
  return [
    { displayName: 'Create List of Assets' },
    {
      displayName: 'Render Frames',
      description: 'Rendering the frames of the video.',
      completeWorkUnits: Math.floor(progress * FRAMES),
      totalWorkUnits: FRAMES,
    },
    { displayName: 'Write Files', completeWorkUnits: complete ? 1 : 0, totalWorkUnits: 1 },
  ];
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}

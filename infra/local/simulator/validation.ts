import { checkExpression, isObject, onlyFields } from './graph.ts';
import { requestedVideo, type RequestedVideo } from './video.ts';
import { Refusal } from './request.ts';

/** The parts of a valid ExportVideoRequest that the simulator needs. */
export interface AcceptedRequest {
  readonly requestId: string | undefined;
  readonly description: string;
  readonly priority: number;
  /** `gs://bucket/prefix` or `drive:folder/prefix` */
  readonly destination: string;
  readonly destinationUri: string;
  /** The bucket, if everyone is to be able to read the video. */
  readonly publicBucket?: string;
  readonly expression: unknown;
  readonly video: RequestedVideo;
}

const MAX_PAYLOAD_BYTES = 10_485_760;

/**
 * The fields of an ExportVideoRequest and of the messages inside it, by their path. An unknown field is refused. A test
 * compares this table with the job schema, so that a field cannot be added to only one of the two.
 */
export const requestFields = {
  '': [
    'expression',
    'description',
    'videoOptions',
    'fileExportOptions',
    'requestId',
    'workloadTag',
    'priority',
    'maxWorkers',
  ],
  videoOptions: ['framesPerSecond', 'maxFrames', 'maxPixelsPerFrame'],
  fileExportOptions: ['fileFormat', 'driveDestination', 'cloudStorageDestination'],
  'fileExportOptions.cloudStorageDestination': ['bucket', 'filenamePrefix', 'permissions', 'bucketCorsUris'],
  'fileExportOptions.driveDestination': ['folder', 'filenamePrefix'],
} as const;

type Json = Readonly<Record<string, unknown>>;
type Destination = Pick<AcceptedRequest, 'destination' | 'destinationUri' | 'publicBucket'>;

/**
 * Reads the body of `video:export` as Earth Engine would: https://developers.google.com/earth-engine/reference/rest/v1/projects.video/export
 *
 * @throws Refusal with Earth Engine's own text, if that is known
 */
export function readExportRequest(body: Uint8Array): AcceptedRequest {
  if (body.byteLength > MAX_PAYLOAD_BYTES) {
    throw new Refusal(400, `Request payload size exceeds the limit: ${MAX_PAYLOAD_BYTES} bytes.`);
  }
  const request = parseJson(body);
  onlyFields(request, requestFields[''], '');
  if (request['maxWorkers'] !== undefined) {
    throw new Refusal(400, 'max_workers can only be set by internal users.');
  }
  checkExpression(request['expression']);
  checkVideoOptions(request['videoOptions']);
  const workloadTag = optional(request, 'workloadTag', /^(?:[a-z0-9]|[a-z0-9][-_a-z0-9]{0,61}[a-z0-9])$/);
  if (workloadTag === '') {
    throw new Refusal(400, "Invalid value at 'workload_tag'");
  }
  return {
    requestId: optional(request, 'requestId', /^[a-zA-Z0-9-]{1,60}$/),
    description: optional(request, 'description', /^[A-Za-z0-9._,:;-]{1,100}$/) ?? '',
    priority: integer(request['priority'] ?? 100, 'priority', 0, 9999),
    ...readDestination(request['fileExportOptions']),
    expression: request['expression'],
    video: requestedVideo(request),
  };
}

function parseJson(body: Uint8Array): Json {
  try {
    const json: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
    if (isObject(json)) {
      return json;
    }
  } catch (error) {
    throw new Refusal(400, `Invalid JSON payload received. ${String(error)}`);
  }
  throw new Refusal(400, 'Invalid JSON payload received. Not an object.');
}

function checkVideoOptions(options: unknown): void {
  if (options === undefined) {
    return;
  }
  if (!isObject(options)) {
    throw new Refusal(400, "Invalid value at 'video_options'");
  }
  onlyFields(options, requestFields.videoOptions, 'video_options');
  const { framesPerSecond = 5, maxFrames = 1000, maxPixelsPerFrame = '100000000' } = options;
  if (typeof framesPerSecond !== 'number' || framesPerSecond < 0.1 || framesPerSecond > 120) {
    throw new Refusal(400, 'frames_per_second must be between 0.1 and 120.');
  }
  integer(maxFrames, 'video_options.max_frames', 1, 2 ** 31 - 1);
  integer(maxPixelsPerFrame, 'video_options.max_pixels_per_frame', 1, Number.MAX_SAFE_INTEGER);
}

function readDestination(options: unknown): Destination {
  if (!isObject(options)) {
    throw new Refusal(400, 'Exactly one export destination must be specified.');
  }
  onlyFields(options, requestFields.fileExportOptions, 'file_export_options');
  const { driveDestination: drive, cloudStorageDestination: storage } = options;
  if ((drive === undefined) === (storage === undefined)) {
    throw new Refusal(400, 'Exactly one export destination must be specified.');
  }
  if (options['fileFormat'] !== 'MP4') {
    throw new Refusal(400, `Unsupported video file format: ${String(options['fileFormat'])}.`);
  }
  if (isObject(storage)) {
    return readStorage(storage);
  }
  if (isObject(drive)) {
    return readDrive(drive);
  }
  throw new Refusal(400, "Invalid value at 'file_export_options'");
}

function readStorage(storage: Json): Destination {
  const at = 'file_export_options.cloud_storage_destination';
  onlyFields(storage, requestFields['fileExportOptions.cloudStorageDestination'], at);
  const bucket = optional(storage, 'bucket', /^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$/);
  if (bucket === undefined) {
    throw new Refusal(400, `Invalid value at '${at}.bucket'`);
  }
  const prefix = optional(storage, 'filenamePrefix') ?? '';
  const permissions = optional(
    storage,
    'permissions',
    /^(?:TILE_PERMISSIONS_UNSPECIFIED|PUBLIC|DEFAULT_OBJECT_ACL)$/,
  );
  const { bucketCorsUris: uris = [] } = storage;
  if (!Array.isArray(uris) || !uris.every((uri) => typeof uri === 'string')) {
    throw new Refusal(400, `Invalid value at '${at}.bucket_cors_uris'`);
  }
  return {
    destination: `gs://${bucket}/${prefix}`,
    destinationUri: `https://console.cloud.google.com/storage/browser/${bucket}/${prefix}`,
    ...(permissions === 'PUBLIC' ? { publicBucket: bucket } : {}),
  };
}

function readDrive(drive: Json): Destination {
  const at = 'file_export_options.drive_destination';
  onlyFields(drive, requestFields['fileExportOptions.driveDestination'], at);
  const folder = optional(drive, 'folder') ?? '';
  return {
    destination: `drive:${folder}/${optional(drive, 'filenamePrefix') ?? ''}`,
    destinationUri: `https://drive.google.com/#folders/${encodeURIComponent(folder)}`,
  };
}

function optional(from: Json, name: string, pattern?: RegExp): string | undefined {
  const value = from[name];
  if (value === undefined || value === null) {
    return undefined;
  }
  if (typeof value !== 'string' || (pattern && !pattern.test(value))) {
    throw new Refusal(400, `Invalid value at '${name}': ${JSON.stringify(value).slice(0, 200)}`);
  }
  return value;
}

/** An integer as a JSON number, as the string of an int64, or wrapped as the Python client sends it. */
function integer(value: unknown, name: string, least: number, most: number): number {
  const bare = isObject(value) && Object.keys(value).join(',') === 'value' ? value['value'] : value;
  const number = typeof bare === 'string' && /^-?\d+$/.test(bare) ? Number(bare) : bare;
  if (typeof number !== 'number' || !Number.isInteger(number) || number < least || number > most) {
    throw new Refusal(400, `Invalid value at '${name}': an integer from ${least} to ${most} is needed.`);
  }
  return number;
}

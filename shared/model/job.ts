import type { Extent, RequestedVideo } from './delivery.ts';

/**
 * Earth Engine's ExportVideoRequest in the bare form, as it is sent, except for requestId and the marker in
 * `description`. Source: https://developers.google.com/earth-engine/reference/rest/v1/projects.video/export
 */
export interface VideoRequest {
  readonly expression: Expression;
  readonly description?: string;
  readonly videoOptions?: {
    readonly framesPerSecond?: number;
    readonly maxFrames?: number;
    /** An int64 in JSON: digits. */
    readonly maxPixelsPerFrame?: string;
  };
  readonly fileExportOptions: {
    readonly fileFormat: 'MP4';
    readonly driveDestination?: { readonly folder?: string; readonly filenamePrefix?: string };
    readonly cloudStorageDestination?: {
      readonly bucket: string;
      readonly filenamePrefix?: string;
      readonly permissions?: 'DEFAULT_OBJECT_ACL' | 'PUBLIC' | 'TILE_PERMISSIONS_UNSPECIFIED';
      readonly bucketCorsUris?: readonly string[];
    };
  };
  readonly workloadTag?: string;
  readonly priority?: number;
}

/** Earth Engine's expression graph. `expression/` checks its nodes and otherwise passes them through unchanged. */
export interface Expression {
  readonly values: Readonly<Record<string, unknown>>;
  readonly result: string;
}

/** A valid job message, with everything that is derived from it. */
export interface Job {
  readonly recordId: string;
  readonly jobKey: string | undefined;
  readonly attempt: number;
  readonly project: string;
  readonly batchId: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly contentHash: string;
  /** `gs://bucket/prefix` or `drive:folder/prefix` */
  readonly destination: string;
  /** `gs://bucket/name`: where the verified video is copied to. */
  readonly deliverTo?: string | undefined;
  readonly maxEecuHours?: number | undefined;
  /** The graph with its constants abstracted. */
  readonly shapeHash?: string | undefined;
  readonly extent?: Extent | undefined;
  readonly requestedVideo?: RequestedVideo | undefined;
  readonly request: VideoRequest;
}

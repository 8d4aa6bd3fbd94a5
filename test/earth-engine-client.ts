import { createRequire } from 'node:module';

/** Google's JavaScript client. It has no types: these are the parts that tests use. */

export type Callback<T> = (value: T, error?: string) => void;

/** A collection or an image: something that Earth Engine computes. */
export interface Computed {
  filterDate(from: string, to: string): Computed;
  select(band: string): Computed;
  map(change: (image: Computed) => Computed): Computed;
  visualize(options: object): Computed;
}

export interface Task {
  readonly id: string;
  start(started: () => void, failed: (message: string) => void): void;
}

export interface OperationOfClient {
  readonly name: string;
  readonly metadata: { readonly state: string; readonly type: string; readonly description: string };
}

interface EarthEngineClient {
  initialize(
    url: string,
    tileUrl: string,
    done: () => void,
    failed: (error: Error) => void,
    xsrfToken: null,
    project: string,
  ): void;
  reset(): void;
  ImageCollection(source: unknown): Computed;
  readonly Geometry: { Rectangle(coordinates: number[], projection: null, geodesic: boolean): object };
  readonly Deserializer: { decodeCloudApi(expression: object): object };
  readonly Serializer: { encodeCloudApi(value: object): object };
  readonly batch: { readonly Export: { readonly video: { toCloudStorage(options: object): Task } } };
  readonly data: {
    listOperations(limit: number, callback: Callback<OperationOfClient[]>): void;
    getOperation(name: string, callback: Callback<OperationOfClient>): void;
  };
}

export const ee = createRequire(import.meta.url)('@google/earthengine') as EarthEngineClient;

/** Connects the client, without credentials, to a server that answers as Earth Engine does. */
export const initialize = (url: string, project: string): Promise<void> =>
  new Promise((resolve, reject) => {
    ee.initialize(url, url, resolve, reject, null, project);
  });

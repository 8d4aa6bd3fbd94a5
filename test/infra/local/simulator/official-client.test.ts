import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import {
  createSimulator,
  serveSimulator,
  type Simulator,
  type SimulatorServer,
} from '../../../../infra/local/simulator/index.ts';
import {
  type Callback,
  ee,
  initialize,
  type OperationOfClient,
  type Task,
} from '../../../earth-engine-client.ts';

function called<T>(call: (callback: Callback<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    call((value, error) => (error === undefined ? resolve(value) : reject(new Error(error))));
  });
}

let simulator: Simulator;
let server: SimulatorServer;

beforeAll(async () => {
  simulator = createSimulator();
  server = await serveSimulator(simulator);
  await initialize(server.url, 'my-project');
});

afterAll(async () => {
  ee.reset();
  await server.close();
});

function timelapse(options: object): Task {
  const collection = ee
    .ImageCollection('MODIS/061/MOD13A2')
    .filterDate('2020-01-01', '2021-01-01')
    .select('NDVI')
    .map((image) => image.visualize({ min: 0, max: 9000, palette: ['white', 'green'] }));
  return ee.batch.Export.video.toCloudStorage({
    collection,
    description: 'ndvi-2020',
    bucket: 'my-bucket',
    fileNamePrefix: 'ndvi/2020',
    framesPerSecond: 12,
    dimensions: 720,
    region: ee.Geometry.Rectangle([-18, -35, 52, 38], null, false),
    ...options,
  });
}

describe('the official JavaScript client with the simulator', () => {
  it('exports a video to Cloud Storage, lists it, and gets it', async () => {
    const task = timelapse({});
    await new Promise<void>((resolve, reject) => {
      task.start(resolve, (message) => reject(new Error(message)));
    });
    const [made] = simulator.operations();
    expect(made).toMatchObject({
      project: 'my-project',
      description: 'ndvi-2020',
      destination: 'gs://my-bucket/ndvi/2020',
      requestId: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
    });
    const listed = await called<OperationOfClient[]>((callback) => ee.data.listOperations(10, callback));
    expect(listed.map(({ name }) => name)).toEqual([made?.name]);
    const got = await called<OperationOfClient>((callback) =>
      ee.data.getOperation(made?.name ?? '', callback),
    );
    expect(got.metadata).toMatchObject({ type: 'EXPORT_VIDEO', description: 'ndvi-2020' });
  });

  it("receives Earth Engine's refusal", async () => {
    const failed = new Promise<string>((resolve, reject) => {
      timelapse({ framesPerSecond: 500 }).start(() => reject(new Error('it was accepted')), resolve);
    });
    expect(await failed).toBe('frames_per_second must be between 0.1 and 120.');
  });
});

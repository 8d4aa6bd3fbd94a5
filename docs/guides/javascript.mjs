import { Firestore } from '@google-cloud/firestore';
import { PubSub } from '@google-cloud/pubsub';
import ee from '@google/earthengine';
import { GoogleAuth } from 'google-auth-library';

const project = process.env.GOOGLE_CLOUD_PROJECT;
const simulator = process.env.EARTHENGINE_EMULATOR_HOST;

// Sign in with application default credentials. The simulator that `npm start` runs needs none.
if (!simulator) {
  const auth = new GoogleAuth({ scopes: 'https://www.googleapis.com/auth/earthengine' });
  ee.data.setAuthToken('', 'Bearer', await auth.getAccessToken(), 3600, [], undefined, false);
}
const url = simulator ? `http://${simulator}` : null;
await new Promise((resolve, reject) => ee.initialize(url, url, resolve, reject, null, project));

// Build the collection. Clipping and scaling give all frames the same region and size.
const region = ee.Geometry.Rectangle([-18, -36, 52, 38], null, false);
const frames = ee
  .ImageCollection('MODIS/061/MOD13A2')
  .filterDate('2021-01-01', '2022-01-01')
  .select('NDVI')
  .map((image) =>
    image
      .visualize({ min: 0, max: 9000, palette: ['ffffff', '00ff00'] })
      .clipToBoundsAndScale({ geometry: region, maxDimension: 720 }),
  );

// Publish the request under a name that you choose.
const jobKey = 'africa-ndvi/2021';
const job = {
  jobKey,
  labels: { team: 'vegetation' },
  request: {
    expression: ee.Serializer.encodeCloudApi(frames),
    description: 'modis-ndvi-africa-2021',
    videoOptions: { framesPerSecond: 12 },
    fileExportOptions: {
      fileFormat: 'MP4',
      cloudStorageDestination: { bucket: 'my-bucket', filenamePrefix: 'ndvi/africa-2021' },
    },
  },
};
const pubsub = new PubSub();
await pubsub.topic('video-export-jobs').publishMessage({ json: job });

// Follow its record until it ends: Firestore sends every change.
const firestore = new Firestore();
const records = firestore.collection('videoExports').where('jobKey', '==', jobKey);
await new Promise((resolve, reject) => {
  const stop = records.onSnapshot(({ docs: [record] }) => {
    if (!record) {
      return;
    }
    console.log(record.id, record.get('state'), record.get('outputUris')?.[0] ?? '');
    if (record.get('finishedAt')) {
      stop();
      resolve();
    }
  }, reject);
});
await Promise.all([firestore.terminate(), pubsub.close()]);

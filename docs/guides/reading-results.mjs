import { Firestore } from '@google-cloud/firestore';

const firestore = new Firestore();
const records = firestore.collection('videoExports');
const print = ({ docs }) => {
  for (const record of docs) {
    console.log(record.id, record.get('state'), record.get('outputUris')?.[0] ?? '');
  }
};

// All attempts at one job.
print(await records.where('jobKey', '==', 'africa-ndvi/2021').get());

// The latest failures, newest first.
const failed = records.where('state', 'in', ['FAILED', 'REJECTED', 'LOST']);
print(await failed.orderBy('createdAt', 'desc').limit(20).get());

// The jobs of a batch, and how many of them succeeded. The database counts them, which costs almost nothing.
const batch = records.where('batchId', '==', 'weekly-ndvi@2026-11-23');
print(await batch.orderBy('createdAt', 'desc').get());
const succeeded = await batch.where('state', '==', 'SUCCEEDED').count().get();
console.log('succeeded:', succeeded.data().count);

// Jobs with a label.
print(await records.where('labels.team', '==', 'vegetation').get());

await firestore.terminate();

import { Firestore } from '@google-cloud/firestore';

import { DAY_MS, HOUR_MS, later, MINUTE_MS, SECOND_MS } from '../../shared/clock.ts';
import type { ExportRecord } from '../../shared/model/record.ts';
import { recordFor } from '../page/seed.ts';

/** As after a busy day: a third has ended in it, a third waits, and the rest is older. */
export async function fill(projectId: string, host: string, exports: number): Promise<void> {
  const database = new Firestore({ projectId, host, ssl: false, ignoreUndefinedProperties: true });
  const now = new Date();
  const writer = database.bulkWriter({ throttling: false });
  for (let n = 0; n < exports; n += 1) {
    const { id, record } = exportOf(n, exports, now);
    void writer.set(database.collection('videoExports').doc(id), { ...record });
  }
  await writer.close();
  await database.terminate();
}

function exportOf(n: number, exports: number, now: Date): { id: string; record: ExportRecord } {
  const key = `season/${Math.floor(n / 100)}/${n % 100}`;
  const createdAt = later(now, -n * 7 * SECOND_MS);
  const common = { createdAt, updatedAt: createdAt, labels: { team: n % 2 === 0 ? 'water' : 'land' } };
  const ended = (finishedAt: Date) => ({ ...common, finishedAt, updatedAt: finishedAt, eecuSeconds: 900 });
  switch (n % 30) {
    case 0:
      return recordFor('RUNNING', key, { ...common, progress: 0.5 });
    case 1:
      return recordFor('FAILED', key, ended(later(now, -((n / exports) * DAY_MS))));
    default:
      break;
  }
  switch (n % 3) {
    case 0:
      return recordFor('SUCCEEDED', key, ended(later(now, -((n / exports) * DAY_MS))));
    case 1:
      return recordFor('WAITING', key, { ...common, waitingFor: 'QUEUE', dueAt: later(now, HOUR_MS) });
    default:
      return recordFor('SUCCEEDED', key, ended(later(now, -2 * DAY_MS - n * MINUTE_MS)));
  }
}

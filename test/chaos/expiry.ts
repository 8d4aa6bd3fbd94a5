import type { Store } from '../../shared/store/store.ts';
import type { Outcome } from './verify.ts';

/** Deletes records of jobs that have ended, as Firestore's TTL does weeks later, and looks at what polls make of it. */

export interface ExpiryStage {
  readonly store: Store;
  /** host:port of the emulator */
  readonly firestoreHost: string;
  readonly project: string;
  readonly database: string;
  readonly poll: () => Promise<unknown>;
  /** How many calls to start an export there were. */
  readonly exportCalls: () => number;
}

const POLLS = 3;

/** @returns what the service does that it must not do */
export async function expire(stage: ExpiryStage, { records, batches }: Outcome): Promise<string[]> {
  const { store, firestoreHost, project, database, poll, exportCalls } = stage;
  // Every second one: batches and retries lose some of their records.
  const expired = [...records.keys()].filter((_id, index) => index % 2 === 0);
  const sentBefore = exportCalls();
  await Promise.all(
    expired.map(async (id) => {
      const path = `projects/${project}/databases/${database}/documents/videoExports/${id}`;
      const response = await fetch(`http://${firestoreHost}/v1/${path}`, {
        method: 'DELETE',
        headers: { authorization: 'Bearer owner' },
      });
      if (!response.ok) {
        throw new Error(`The emulator responded to the deletion of ${id} with ${response.status}`);
      }
    }),
  );
  for (let n = 0; n < POLLS; n += 1) {
    await poll();
  }
  const back = await store.records.getMany(expired);
  const after = await store.batches.getMany([...batches.keys()]);
  const calls = exportCalls() - sentBefore;
  return [
    ...back.map(({ id }) => `${id} is there again after it expired`),
    ...after.flatMap((found) =>
      'value' in found && found.value.revision === batches.get(found.id)?.revision
        ? []
        : [`batch ${found.id} changed after its records expired`],
    ),
    ...(calls > 0 ? [`${calls} exports were sent after records expired`] : []),
  ];
}

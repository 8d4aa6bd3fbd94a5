import type { Batch } from '../../shared/model/batch.ts';
import { isReadable } from '../../shared/store/store.ts';
import type { Harness } from '../harness.ts';

/** The stored batch; by default the one that `smallManifest` makes. */
export async function batchOf({ store }: Harness, id = 'small@2026-11-23'): Promise<Batch> {
  const found = await store.batches.get(id);
  if (!found || !isReadable(found)) {
    throw new Error(`There is no batch ${id}`);
  }
  return found.value;
}

/** The job messages that were published. */
export const jobMessages = ({ publisher, config }: Harness) =>
  publisher.published.filter(({ topic }) => topic === config.topics.jobs).map(({ message }) => message);

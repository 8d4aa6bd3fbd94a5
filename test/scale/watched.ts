import { createMemoryStore, type MemoryStore } from '../../infra/local/memory/store.ts';
import { createHarness, type Harness, type HarnessOptions, smallJob } from '../harness.ts';
import { type CountingStore, countStore } from '../counting-store.ts';

export interface Watched extends Harness {
  readonly store: CountingStore;
  readonly memory: MemoryStore;
}

/** A harness with a counting store and room for any number of operations, which stay PENDING until a test ends them. */
export function createWatched({ environment, simulator, ...options }: HarnessOptions = {}): Watched {
  const memory = createMemoryStore();
  const store = countStore(memory);
  const harness = createHarness({
    ...options,
    environment: { MAX_ACTIVE_OPERATIONS: '100000', ALLOWED_PROJECTS: '*', ...environment },
    simulator: {
      ...simulator,
      settings: { queueLimit: 100_000, concurrency: 0, ...simulator?.settings },
    },
    store,
  });
  return { ...harness, store, memory };
}

/** Submits jobs to a project; returns their record ids. */
export async function submitMany(
  harness: Pick<Harness, 'submit'>,
  count: number,
  project = 'demo-test',
): Promise<string[]> {
  const ids: string[] = [];
  for (let n = 0; n < count; n += 1) {
    // A file for each: among thousands that write to one file, each arrival would look through those before it.
    const cloudStorageDestination = { bucket: 'my-bucket', filenamePrefix: `job/${n}` };
    const fileExportOptions = { fileFormat: 'MP4', cloudStorageDestination };
    const data = smallJob({ jobKey: `job/${n}`, project }, { fileExportOptions });
    const submitted = await harness.submit({ data });
    if (!('recordId' in submitted)) {
      throw new Error(`job ${n} was not accepted: ${JSON.stringify(submitted)}`);
    }
    ids.push(submitted.recordId);
  }
  return ids;
}

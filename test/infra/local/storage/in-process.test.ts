import { describe } from 'vitest';

import { inProcessStorage } from '../../../../infra/local/storage/in-process.ts';
import { createStorage } from '../../../../infra/local/storage/storage.ts';
import { storageContract } from '../../../storage/contract.ts';

describe('simulated buckets in process', () => {
  storageContract(() => {
    const storage = createStorage();
    return { storage, client: inProcessStorage(storage) };
  });
});

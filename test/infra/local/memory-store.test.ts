import { createMemoryStore } from '../../../infra/local/memory/store.ts';
import { describeStore } from '../../store/contract.ts';

describeStore('memory', async () => {
  const store = createMemoryStore();
  return {
    store,
    put: async (path, fields) => store.put(path, fields),
    peek: async (path) => store.peek(path),
    remove: async (path) => store.remove(path),
  };
});

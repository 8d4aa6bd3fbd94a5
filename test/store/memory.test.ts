import { createMemoryStore } from '../../shared/store/memory.ts';
import { describeStore } from './contract.ts';

describeStore('memory', async () => {
  const store = createMemoryStore();
  return {
    store,
    put: async (path, fields) => store.put(path, fields),
    peek: async (path) => store.peek(path),
    remove: async (path) => store.remove(path),
  };
});

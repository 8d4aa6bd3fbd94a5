/** Where the worker's code is. The build replaces this module, because the worker is a file of its own there too. */
export const workerFile = new URL('./worker.ts', import.meta.url);

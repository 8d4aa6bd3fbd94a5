import { createSimulator, serveSimulator } from '../../../infra/local/simulator/index.ts';

/* A simulator in a separate process, with capacity for every job of the benchmark. It reports its port to its parent. */

const simulator = createSimulator({ settings: { queueLimit: 10_000_000, concurrency: 0 } });
const { port } = await serveSimulator(simulator);
process.send?.(port);
process.once('disconnect', () => process.exit());

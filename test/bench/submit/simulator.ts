import { createSimulator, serveSimulator } from '../../../infra/local/simulator/index.ts';

/* A simulator in a process of its own, with room for every job of the benchmark; tells its parent the port. */

const simulator = createSimulator({ settings: { queueLimit: 10_000_000, concurrency: 0 } });
const { port } = await serveSimulator(simulator);
process.send?.(port);
process.once('disconnect', () => process.exit());

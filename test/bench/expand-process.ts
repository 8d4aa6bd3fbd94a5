import { expandBatch } from '../../shared/batch/expand-batch.ts';
import type { Services } from '../../shared/services.ts';
import { manifestOf } from '../batch/whole-batch.ts';
import { createHarness, envelopeOf } from '../harness.ts';

/** `node expand-process.ts JOBS` expands a manifest, discards the messages, and prints what that cost. */
const jobs = Number(process.argv[2]);
const harness = createHarness();
let bytes = 0;
const services: Services = {
  ...harness.services,
  publisher: {
    ...harness.publisher,
    publish: (_topic, messages) => {
      for (const { data } of messages) {
        bytes += data.length;
      }
      return Promise.resolve(messages.map((_, n) => ({ messageId: String(n) })));
    },
  },
};
const manifest = manifestOf(jobs);
const envelope = envelopeOf({ data: manifest });
const startedAt = performance.now();
const expanded = await expandBatch(services, envelope);
const ms = performance.now() - startedAt;
if (expanded.outcome !== 'PUBLISHED' || bytes < jobs * 1000) {
  throw new Error(JSON.stringify(expanded));
}
const peakMb = process.resourceUsage().maxRSS / 1024;

const serializeAt = performance.now();
for (let job = 0; job < jobs; job += 1) {
  Buffer.from(JSON.stringify(manifest['job']));
}
console.log(JSON.stringify({ peakMb, ms, serializeMs: performance.now() - serializeAt }));

import { createRandom } from '../../infra/local/simulator/random.ts';
import type { PastJob } from '../../shared/estimate/estimate.ts';

/** Seeded histories of the kinds that estimates must cope with, oldest job first. */

export const kinds = ['stable', 'heavy-tailed', 'drifting', 'two modes'] as const;
export type Kind = (typeof kinds)[number];

export function createHistory(kind: Kind, seed: number, length = 250): PastJob[] {
  const random = createRandom(seed);
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return Array.from({ length }, (_, index) => {
    const noise = Math.exp(0.3 * normal());
    const hours = {
      stable: () => 38 * noise,
      // Pareto: a few jobs make most of the cost.
      'heavy-tailed': () => 10 / (1 - random()) ** (1 / 1.3),
      drifting: () => 20 * noise * (1 + (2 * index) / length),
      'two modes': () => (random() < 0.6 ? 10 : 120) * noise,
    }[kind]();
    return { eecuSeconds: hours * 3600 };
  });
}

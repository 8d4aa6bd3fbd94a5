import { createRandom } from '../../infra/local/simulator/random.ts';

/** Everything that a seed decides is decided here. */
export interface Dice {
  /** 0 ≤ x < 1 */
  readonly random: () => number;
  chance(probability: number): boolean;
  /** A whole number in `from` … `to`, both included. */
  whole(from: number, to: number): number;
  pick<T>(items: readonly T[]): T;
  /** Each item with this probability. */
  some<T>(items: readonly T[], probability: number): T[];
}

export function createDice(seed: number): Dice {
  const random = createRandom(seed);
  return {
    random,
    chance: (probability) => random() < probability,
    whole: (from, to) => from + Math.floor(random() * (to - from + 1)),
    pick: (items) => {
      if (items.length === 0) {
        throw new RangeError('there is nothing to pick from');
      }
      return items[Math.floor(random() * items.length)] as (typeof items)[number];
    },
    some: (items, probability) => items.filter(() => random() < probability),
  };
}

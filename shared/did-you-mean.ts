import { distance } from 'fastest-levenshtein';

/** A comparison takes time in proportion to the product of both lengths, and hostile input can be long. */
const LONGEST = 100;

/**
 * What was probably meant by a word that is not known: the known word that takes the fewest edits, at most one for each
 * three characters. Upper and lower case do not matter.
 */
export function closest(word: string, known: readonly string[]): string | undefined {
  if (word.length > LONGEST) {
    return undefined;
  }
  const wanted = word.toLowerCase();
  let best: string | undefined;
  let fewest = Math.floor(wanted.length / 3) + 1;
  for (const candidate of known) {
    const edits = distance(wanted, candidate.toLowerCase());
    if (edits < fewest) {
      best = candidate;
      fewest = edits;
    }
  }
  return best;
}

/** `(did you mean x?)`, to append to an error; empty if nothing is close. */
export function didYouMean(word: string, known: readonly string[]): string {
  const near = closest(word, known);
  return near === undefined ? '' : ` (did you mean ${near}?)`;
}

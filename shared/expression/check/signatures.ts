import table from './signatures.json' with { type: 'json' };
import { impossibleKinds } from './types.ts';
import { type Value, valueOfType } from './value.ts';

/**
 * The signatures of Earth Engine's algorithms. docs/generate/write-signatures.ts makes the table from the list that Earth
 * Engine publishes. It is parsed one signature at a time, since a graph uses a few dozen of them.
 */

export interface Argument {
  readonly name: string;
  /** As Earth Engine writes it: `List<Image>`. */
  readonly type: string;
  /** The same without what is between the angle brackets: `List`. */
  readonly outer: string;
  /** The type of a list's items: `Image`. */
  readonly items: string | undefined;
  readonly optional: boolean;
  /** The kinds of values that it cannot have, and that the items of its list cannot have. */
  readonly impossible: number;
  readonly impossibleItems: number;
  /** Undefined if it has none, or none that the table holds. */
  readonly default: unknown;
}

export interface Signature {
  readonly name: string;
  readonly returns: string;
  /** What is known of its result without its arguments. */
  readonly value: Value;
  readonly args: ReadonlyMap<string, Argument>;
  readonly required: readonly string[];
}

/** The day on which Earth Engine's list was read. */
export const signaturesDate = table.date;

let texts: Map<string, string> | undefined;
const parsed = new Map<string, Signature>();

function allTexts(): Map<string, string> {
  if (!texts) {
    texts = new Map();
    for (const [text, names] of Object.entries(table.signatures)) {
      for (const name of names.split(' ')) {
        texts.set(name, text);
      }
    }
  }
  return texts;
}

/** The names of all algorithms. */
export const algorithmNames = (): readonly string[] => [...allTexts().keys()];

/** @param name with or without the prefix `algorithms/` */
export function signatureOf(name: string): Signature | undefined {
  const known = parsed.get(name);
  if (known) {
    return known;
  }
  const text = allTexts().get(name);
  if (text === undefined) {
    return name.startsWith('algorithms/') ? signatureOf(name.slice('algorithms/'.length)) : undefined;
  }
  const signature = parseSignature(name, text);
  parsed.set(name, signature);
  return signature;
}

const argumentPattern = /(\w+)(\??): ([\w<>]+)(?: = ("[^"]*"|[^,)]+))?/g;

/** Parses `Image(image: Image, bands?: Object, gain?: Number = 1)`. */
export function parseSignature(name: string, text: string): Signature {
  const open = text.indexOf('(');
  const args = new Map<string, Argument>();
  for (const match of text.slice(open).matchAll(argumentPattern)) {
    const [, argument = '', mark, type = '', initial] = match;
    const outer = /^\w+/.exec(type)?.[0] ?? type;
    const items = outer === 'List' ? /^List<(\w+)/.exec(type)?.[1] : undefined;
    args.set(argument, {
      name: argument,
      type,
      outer,
      items,
      optional: mark === '?',
      impossible: impossibleKinds(outer),
      impossibleItems: impossibleKinds(items),
      default: initial === undefined ? undefined : JSON.parse(initial),
    });
  }
  const required = [...args.values()].filter(({ optional }) => !optional).map((argument) => argument.name);
  const returns = text.slice(0, open);
  return { name, returns, value: valueOfType(returns), args, required };
}

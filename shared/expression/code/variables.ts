import { kindOf } from '../check/nodes.ts';
import type { JsonObject } from '../../json.ts';

/**
 * Which entries of an expression become variables: those that are used more than once, and those that would be nested too
 * deep to be read. A variable stands in the innermost function whose arguments it uses.
 */
export interface Variables {
  /** The name of an entry that is a variable. */
  nameOf(key: string): string | undefined;
  /** The variables of the program (no key), or of the function whose body has this key, in the order of their use. */
  within(bodyKey: string | undefined): readonly string[];
}

/** Levels of one expression. */
const MAX_LEVELS = 24;
/** Arguments of functions that an entry uses. With more of them, it may stand too far outside. */
const MAX_FREE = 32;
/** All walks over entries together, to find what stands in which function. What is not found is not declared. */
const MAX_VISITS = 1_000_000;

interface EntryFacts {
  readonly free: ReadonlySet<string>;
  readonly levels: number;
}

export function findVariables(values: JsonObject, result: string): Variables {
  const graph: Graph = { values, references: new Map(), visits: MAX_VISITS };
  const order = sortEntries(graph, result);
  const uses = new Map<string, number>();
  for (const key of order) {
    for (const { target } of referencesOf(graph, key)) {
      uses.set(target, (uses.get(target) ?? 0) + 1);
    }
  }
  const variables = new Map<string, string>();
  const facts = new Map<string, EntryFacts>();
  const bodies = new Map<string, ReadonlySet<string>>();
  for (const key of order) {
    const free = new Set<string>(argumentsIn(values[key]));
    let levels = 0;
    for (const { target, binds, depth } of referencesOf(graph, key)) {
      const known = facts.get(target);
      for (const name of known?.free ?? []) {
        if (free.size < MAX_FREE && !binds?.includes(name)) {
          free.add(name);
        }
      }
      if (binds) {
        bodies.set(target, new Set(binds));
      } else if ((uses.get(target) ?? 0) > 1 || (known?.levels ?? 0) + depth > MAX_LEVELS) {
        variables.set(target, variableName(target));
      }
      levels = Math.max(levels, depth + (variables.has(target) ? 0 : (known?.levels ?? 0)));
    }
    facts.set(key, { free, levels });
  }
  return {
    nameOf: (key) => variables.get(key),
    within: (bodyKey) => {
      const bound = bodyKey === undefined ? undefined : bodies.get(bodyKey);
      const start = bodyKey ?? result;
      return sortEntries(graph, start).filter((key) => {
        const free = facts.get(key)?.free ?? new Set();
        return (
          key !== start &&
          variables.has(key) &&
          (bodyKey === undefined ? free.size === 0 : [...free].some((name) => bound?.has(name)))
        );
      });
    },
  };
}

const variableName = (key: string): string => `v${key.replaceAll(/\W/g, '_').slice(0, 40)}`;

interface Reference {
  readonly target: string;
  /** The names that a function binds in its body. */
  readonly binds: readonly string[] | undefined;
  /** How deep in its entry it is. */
  readonly depth: number;
}

interface Graph {
  readonly values: JsonObject;
  /** Each entry is read once. */
  readonly references: Map<string, readonly Reference[]>;
  /** How many entries may still be visited. */
  visits: number;
}

function referencesOf({ values, references }: Graph, key: string): readonly Reference[] {
  const found = references.get(key) ?? referencesIn(values[key]);
  references.set(key, found);
  return found;
}

/** Each entry that `start` leads to, after those that it refers to. References may be thousands of levels deep. */
function sortEntries(graph: Graph, start: string): string[] {
  const order: string[] = [];
  if (graph.visits <= 0) {
    return order;
  }
  const seen = new Set([start]);
  const open = [{ key: start, references: referencesOf(graph, start), next: 0 }];
  for (let frame = open.at(-1); frame; frame = open.at(-1)) {
    const reference = frame.references[frame.next];
    frame.next += 1;
    graph.visits -= 1;
    if (!reference) {
      order.push(frame.key);
      open.pop();
    } else if (!seen.has(reference.target)) {
      seen.add(reference.target);
      open.push({ key: reference.target, references: referencesOf(graph, reference.target), next: 0 });
    }
  }
  return order;
}

function referencesIn(node: unknown): Reference[] {
  const found: Reference[] = [];
  visitNodes(node, 1, (kind, content, depth) => {
    if (kind === 'valueReference') {
      found.push({ target: content as string, binds: undefined, depth });
    } else if (kind === 'functionDefinitionValue') {
      const { body, argumentNames = [] } = content as { body: string; argumentNames?: string[] };
      found.push({ target: body, binds: argumentNames, depth });
    } else if (kind === 'functionInvocationValue') {
      const { functionReference } = content as { functionReference?: string };
      if (functionReference !== undefined) {
        found.push({ target: functionReference, binds: undefined, depth });
      }
    }
  });
  return found;
}

function argumentsIn(node: unknown): string[] {
  const names: string[] = [];
  visitNodes(node, 1, (kind, content) => {
    if (kind === 'argumentReference') {
      names.push(content as string);
    }
  });
  return names;
}

/** Nodes within one entry: the reader allows 100 levels. */
function visitNodes(
  node: unknown,
  depth: number,
  visit: (kind: string, content: unknown, depth: number) => void,
): void {
  const kind = kindOf(node);
  const content = (node as JsonObject)[kind];
  visit(kind, content, depth);
  if (kind === 'functionInvocationValue' || kind === 'dictionaryValue' || kind === 'arrayValue') {
    const { arguments: args, values } = content as { arguments?: object; values?: object };
    for (const child of Object.values(args ?? values ?? {})) {
      visitNodes(child, depth + 1, visit);
    }
  }
}

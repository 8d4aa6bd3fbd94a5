import * as fc from 'fast-check';

/**
 * Graphs for property tests. A `Term` is what a graph computes; a bound argument is the number of definitions between it and
 * its own. `render` spells a term as an expression in one of many ways.
 */
export type Term =
  | { readonly kind: 'constant'; readonly value: unknown }
  | { readonly kind: 'array'; readonly items: readonly Term[] }
  | { readonly kind: 'dictionary'; readonly members: readonly (readonly [string, Term])[] }
  | { readonly kind: 'call'; readonly name: string; readonly arguments: readonly (readonly [string, Term])[] }
  | { readonly kind: 'function'; readonly arity: number; readonly body: Term }
  /** A call of a function in the graph, with arguments in that function's order. */
  | {
      readonly kind: 'apply';
      readonly callee: Term & { kind: 'function' };
      readonly arguments: readonly Term[];
    }
  /** Argument `index` of the definition `up` levels out (0: the innermost). */
  | { readonly kind: 'bound'; readonly up: number; readonly index: number };

const names = ['input', 'image', 'collection', 'value', 'right', 'left'];
const algorithms = ['Image.add', 'Image.select', 'Collection.map', 'Filter.eq'];

const constants: fc.Arbitrary<unknown> = fc.oneof(
  fc.integer({ min: -5, max: 5 }),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.string({ maxLength: 70 }).filter((text) => text.isWellFormed()),
  fc.constantFrom(null, true, false, [], {}),
  fc.array(fc.integer(), { maxLength: 3 }),
  fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.integer(), { maxKeys: 3, noNullPrototype: true }),
);

/** Closed terms: every bound argument has its definition. `scopes` are the arities of the enclosing definitions. */
export function terms(depth = 4, scopes: readonly number[] = []): fc.Arbitrary<Term> {
  const leaf: fc.Arbitrary<Term> = constants.map((value) => ({ kind: 'constant', value }));
  const bound = scopes.flatMap((arity, up) =>
    Array.from({ length: arity }, (_, index): Term => ({ kind: 'bound', up, index })),
  );
  const leaves = bound.length > 0 ? fc.oneof(leaf, fc.constantFrom(...bound)) : leaf;
  if (depth === 0) {
    return leaves;
  }
  const inner = fc.constant(undefined).chain(() => terms(depth - 1, scopes));
  const members = fc.uniqueArray(fc.tuple(fc.constantFrom(...names), inner), {
    maxLength: 3,
    selector: ([name]) => name,
  });
  const functionTerm = fc
    .integer({ min: 0, max: 2 })
    .chain((arity) =>
      terms(depth - 1, [arity, ...scopes]).map((body) => ({ kind: 'function', arity, body }) as const),
    );
  return fc.oneof(
    { maxDepth: depth },
    leaves,
    fc.array(inner, { maxLength: 3 }).map((items): Term => ({ kind: 'array', items })),
    members.map((list): Term => ({ kind: 'dictionary', members: list })),
    fc
      .tuple(fc.constantFrom(...algorithms), members)
      .map(([name, list]): Term => ({ kind: 'call', name, arguments: list })),
    functionTerm,
    fc
      .tuple(functionTerm, fc.array(inner, { minLength: 2, maxLength: 2 }))
      .map(([callee, list]): Term => ({ kind: 'apply', callee, arguments: list.slice(0, callee.arity) })),
  );
}

export interface Rendering {
  readonly values: Record<string, unknown>;
  readonly result: string;
}

/**
 * Spells a term. `choose(n)` returns 0 to n-1 and so decides node names, the order of keys, what is inlined, what is shared,
 * and the names of arguments. Whatever it returns, the graph computes the same.
 */
export function render(term: Term, choose: (options: number) => number): Rendering {
  const entries: [string, unknown][] = [];
  const shared = new Map<Term, string>();

  const shuffled = <T>(items: readonly T[]): T[] => {
    const rest = [...items];
    const order: T[] = [];
    while (rest.length > 0) {
      order.push(...rest.splice(choose(rest.length), 1));
    }
    return order;
  };

  const entry = (node: unknown): string => {
    const key = `${['n', '', 'toString', 'é'][choose(4)]}${entries.length}`;
    entries.push([key, node]);
    // Sometimes a reference to a reference.
    return choose(6) === 0 ? entry({ valueReference: key }) : key;
  };

  /** Names that no enclosing definition uses stay available. An outer name may be shadowed if the body does not need it. */
  const argumentNames = (arity: number, body: Term, scopes: readonly (readonly string[])[]): string[] => {
    const needed = new Set(
      [...freeIn(body, 1)].map((place) => {
        const [up = 0, index = 0] = place.split(':').map(Number);
        return scopes[up]?.[index];
      }),
    );
    const list: string[] = [];
    for (let index = 0; index < arity; index += 1) {
      let name = ['_MAPPING_VAR_0_0', 'x', 'y', 'z', 'constructor'][choose(5)] ?? 'x';
      while (needed.has(name) || list.includes(name)) {
        name += choose(10);
      }
      list.push(name);
    }
    return list;
  };

  const write = (current: Term, scopes: readonly (readonly string[])[]): unknown => {
    // Sharing preserves the meaning only if nothing in the node is bound outside of it.
    const closed = freeIn(current, 0).size === 0;
    const known = closed ? shared.get(current) : undefined;
    if (known !== undefined && choose(2) === 0) {
      return { valueReference: known };
    }
    const node = writeNode(current, scopes);
    if (choose(3) !== 0) {
      return node;
    }
    const key = entry(node);
    if (closed) {
      shared.set(current, key);
    }
    return { valueReference: key };
  };

  const writeFunction = (current: Term & { kind: 'function' }, scopes: readonly (readonly string[])[]) => {
    const argumentList = argumentNames(current.arity, current.body, scopes);
    const body = entry(write(current.body, [argumentList, ...scopes]));
    const fields: Record<string, unknown> = { argumentNames: argumentList, body };
    if (argumentList.length === 0 && choose(2) === 0) {
      delete fields['argumentNames'];
    }
    return { node: { functionDefinitionValue: fields }, argumentList };
  };

  const writeMembers = (list: readonly (readonly [string, Term])[], scopes: readonly (readonly string[])[]) =>
    Object.fromEntries(shuffled(list.map(([name, item]) => [name, write(item, scopes)] as const)));

  const writeNode = (current: Term, scopes: readonly (readonly string[])[]): unknown => {
    switch (current.kind) {
      case 'constant':
        return { constantValue: reordered(current.value, shuffled) };
      case 'array':
        return { arrayValue: { values: current.items.map((item) => write(item, scopes)) } };
      case 'dictionary':
        return { dictionaryValue: { values: writeMembers(current.members, scopes) } };
      case 'call':
        return {
          functionInvocationValue: Object.fromEntries(
            shuffled([
              ['functionName', current.name],
              ['arguments', writeMembers(current.arguments, scopes)],
            ]),
          ),
        };
      case 'function':
        return writeFunction(current, scopes).node;
      case 'apply': {
        const { node, argumentList } = writeFunction(current.callee, scopes);
        const list = current.arguments.map((item, index) => [argumentList[index] ?? '', item] as const);
        return {
          functionInvocationValue: { functionReference: entry(node), arguments: writeMembers(list, scopes) },
        };
      }
      default:
        return { argumentReference: scopes[current.up]?.[current.index] };
    }
  };

  const result = entry(write(term, []));
  return { result, values: Object.fromEntries(shuffled(entries)) };
}

/** Arguments bound outside of `depth` definitions, as `up:index` relative to that depth. */
function freeIn(term: Term, depth: number): Set<string> {
  switch (term.kind) {
    case 'bound':
      return new Set(term.up >= depth ? [`${term.up - depth}:${term.index}`] : []);
    case 'function':
      return freeIn(term.body, depth + 1);
    case 'apply':
      return union([freeIn(term.callee, depth), ...term.arguments.map((item) => freeIn(item, depth))]);
    case 'array':
      return union(term.items.map((item) => freeIn(item, depth)));
    case 'dictionary':
      return union(term.members.map(([, item]) => freeIn(item, depth)));
    case 'call':
      return union(term.arguments.map(([, item]) => freeIn(item, depth)));
    default:
      return new Set();
  }
}

function union(sets: readonly Set<string>[]): Set<string> {
  return new Set(sets.flatMap((set) => [...set]));
}

function reordered(value: unknown, shuffled: <T>(items: readonly T[]) => T[]): unknown {
  if (typeof value !== 'object' || value === null) {
    return value;
  }
  if (Array.isArray(value)) {
    return value.map((item) => reordered(item, shuffled));
  }
  return Object.fromEntries(shuffled(Object.entries(value)));
}

/** One text per meaning, against which the equality of hashes is checked. */
export function meaningOf(term: Term): string {
  const members = (list: readonly (readonly [string, Term])[]) =>
    list.map(([name, item]) => [name, meaningOf(item)]).sort(([a = ''], [b = '']) => (a < b ? -1 : 1));
  switch (term.kind) {
    case 'constant':
      return JSON.stringify(['constant', sortedKeys(term.value)]);
    case 'array':
      return JSON.stringify(['array', term.items.map(meaningOf)]);
    case 'dictionary':
      return JSON.stringify(['dictionary', members(term.members)]);
    case 'call':
      return JSON.stringify(['call', term.name, members(term.arguments)]);
    case 'function':
      return JSON.stringify(['function', term.arity, meaningOf(term.body)]);
    case 'apply':
      return JSON.stringify(['apply', meaningOf(term.callee), term.arguments.map(meaningOf)]);
    default:
      return JSON.stringify(['bound', term.up, term.index]);
  }
}

function sortedKeys(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) {
    return value;
  }
  if (Array.isArray(value)) {
    return value.map(sortedKeys);
  }
  return { entries: Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)) };
}

/** Every term that differs from this one at a single position. */
export function mutations(term: Term): Term[] {
  const here: Term[] = [];
  const inMembers = (
    list: readonly (readonly [string, Term])[],
    make: (list: readonly (readonly [string, Term])[]) => Term,
  ) => {
    list.forEach(([name, item], index) => {
      here.push(make(list.toSpliced(index, 1)), make(list.toSpliced(index, 1, [`${name}2`, item])));
      for (const changed of mutations(item)) {
        here.push(make(list.toSpliced(index, 1, [name, changed])));
      }
    });
    here.push(make([...list, ['extra', { kind: 'constant', value: null }]]));
  };
  switch (term.kind) {
    case 'constant':
      here.push({ kind: 'constant', value: [term.value] }, { kind: 'constant', value: 'another' });
      here.push({ kind: 'array', items: [] });
      break;
    case 'array':
      term.items.forEach((item, index) => {
        here.push({ ...term, items: term.items.toSpliced(index, 1) });
        for (const changed of mutations(item)) {
          here.push({ ...term, items: term.items.toSpliced(index, 1, changed) });
        }
      });
      if (term.items.length > 1) {
        here.push({ ...term, items: term.items.toReversed() });
      }
      break;
    case 'dictionary':
      inMembers(term.members, (list) => ({ ...term, members: list }));
      here.push({ kind: 'call', name: 'Dictionary', arguments: term.members });
      break;
    case 'call':
      here.push({ ...term, name: `${term.name}2` });
      inMembers(term.arguments, (list) => ({ ...term, arguments: list }));
      break;
    case 'function':
      here.push({ ...term, arity: term.arity + 1 });
      for (const body of mutations(term.body)) {
        here.push({ ...term, body });
      }
      break;
    case 'apply':
      for (const body of mutations(term.callee.body)) {
        here.push({ ...term, callee: { ...term.callee, body } });
      }
      if (term.arguments.length > 1) {
        here.push({ ...term, arguments: term.arguments.toReversed() });
      }
      if (term.arguments.length > 0) {
        here.push({ ...term, arguments: term.arguments.slice(0, -1) });
      }
      break;
    default:
      here.push({ kind: 'constant', value: 'x' });
      break;
  }
  return here;
}

/** Every term in which one argument is bound to another name in scope (or, once per argument, to its own). */
export function rebindings(term: Term, scopes: readonly number[] = []): Term[] {
  switch (term.kind) {
    case 'bound':
      return scopes.flatMap((arity, up) =>
        Array.from({ length: arity }, (_, index): Term => ({ kind: 'bound', up, index })),
      );
    case 'function':
      return rebindings(term.body, [term.arity, ...scopes]).map((body): Term => ({
        kind: 'function',
        arity: term.arity,
        body,
      }));
    case 'array':
      return term.items.flatMap((item, index) =>
        rebindings(item, scopes).map((changed): Term => ({
          kind: 'array',
          items: term.items.toSpliced(index, 1, changed),
        })),
      );
    case 'call':
      return term.arguments.flatMap(([name, item], index) =>
        rebindings(item, scopes).map((changed): Term => ({
          kind: 'call',
          name: term.name,
          arguments: term.arguments.toSpliced(index, 1, [name, changed]),
        })),
      );
    default:
      return [];
  }
}

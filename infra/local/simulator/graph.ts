import { Refusal } from './request.ts';

/*
 * Earth Engine's rules for an expression, from its reference alone: this is an oracle for the service's own validation, so
 * the two share no code. Source: Earth Engine's REST reference, Shared.Types/ArrayValue and ValueNode.
 */

/** Earth Engine's limit for nested values; references do not count. */
const MAX_NESTING = 100;

const kinds = new Set([
  'constantValue',
  'integerValue',
  'bytesValue',
  'arrayValue',
  'dictionaryValue',
  'functionDefinitionValue',
  'functionInvocationValue',
  'argumentReference',
  'valueReference',
]);

/** How one entry of `values` depends on others. */
interface Entry {
  /** Entries that it needs, and the argument names that it binds for them. */
  readonly needs: { readonly key: string; readonly binds: readonly string[] }[];
  readonly argumentReferences: Set<string>;
}

type Json = Readonly<Record<string, unknown>>;

/** @throws Refusal if Earth Engine would refuse the expression */
export function checkExpression(expression: unknown): void {
  if (!isObject(expression)) {
    throw invalid('expression');
  }
  onlyFields(expression, ['values', 'result'], 'expression');
  const { values, result } = expression;
  if (!isObject(values)) {
    throw invalid('expression');
  }
  const entries = new Map(Object.entries(values).map(([key, node]) => [key, readEntry(key, node)]));
  if (typeof result !== 'string' || !entries.has(result)) {
    throw new Refusal(400, `Expression result '${String(result)}' is not among its values.`);
  }
  for (const [key, { needs }] of entries) {
    const missing = needs.find((need) => !entries.has(need.key));
    if (missing) {
      throw new Refusal(400, `Value '${key}' refers to '${missing.key}', which does not exist.`);
    }
  }
  checkArguments(entries, result);
}

function readEntry(key: string, root: unknown): Entry {
  const entry: Entry = { needs: [], argumentReferences: new Set() };
  const open: [node: unknown, depth: number][] = [[root, 1]];
  for (let next = open.pop(); next; next = open.pop()) {
    const [node, depth] = next;
    if (depth > MAX_NESTING) {
      throw new Refusal(400, `Value '${key}' is nested too deeply (max ${MAX_NESTING}).`);
    }
    for (const child of readNode(node, entry)) {
      open.push([child, depth + 1]);
    }
  }
  return entry;
}

/** Checks one node, records its references in `entry`, and returns the nodes inside it. */
function readNode(node: unknown, entry: Entry): readonly unknown[] {
  if (!isObject(node)) {
    throw invalid('expression');
  }
  const set = Object.keys(node);
  const [kind] = set;
  if (set.length !== 1 || kind === undefined || !kinds.has(kind)) {
    throw new Refusal(
      400,
      `A value node must have exactly one kind of value, found: ${set.join(', ') || 'none'}.`,
    );
  }
  const value = node[kind];
  switch (kind) {
    case 'constantValue':
      return [];
    case 'integerValue':
      if (typeof value !== 'string' || !/^-?\d{1,19}$/.test(value)) {
        throw invalid(kind);
      }
      return [];
    case 'bytesValue':
      if (typeof value !== 'string' || !/^[A-Za-z0-9+/_-]*={0,2}$/.test(value)) {
        throw invalid(kind);
      }
      return [];
    case 'argumentReference':
      entry.argumentReferences.add(string(value, kind));
      return [];
    case 'valueReference':
      entry.needs.push({ key: string(value, kind), binds: [] });
      return [];
    case 'arrayValue':
      return readArray(value);
    case 'dictionaryValue':
      if (!isObject(value)) {
        throw invalid(kind);
      }
      onlyFields(value, ['values'], kind);
      return children(value['values'], kind);
    case 'functionDefinitionValue':
      readDefinition(value, entry);
      return [];
    default:
      return readInvocation(value, entry);
  }
}

function readArray(value: unknown): readonly unknown[] {
  if (!isObject(value)) {
    throw invalid('arrayValue');
  }
  onlyFields(value, ['values'], 'arrayValue');
  const { values = [] } = value;
  if (!Array.isArray(values)) {
    throw invalid('arrayValue');
  }
  return values;
}

function readDefinition(value: unknown, entry: Entry): void {
  if (!isObject(value)) {
    throw invalid('functionDefinitionValue');
  }
  onlyFields(value, ['argumentNames', 'body'], 'functionDefinitionValue');
  const { argumentNames: binds = [], body } = value;
  if (!Array.isArray(binds) || !binds.every((name) => typeof name === 'string')) {
    throw invalid('functionDefinitionValue.argumentNames');
  }
  entry.needs.push({ key: string(body, 'functionDefinitionValue.body'), binds });
}

function readInvocation(value: unknown, entry: Entry): readonly unknown[] {
  if (!isObject(value)) {
    throw invalid('functionInvocationValue');
  }
  onlyFields(value, ['functionName', 'functionReference', 'arguments'], 'functionInvocationValue');
  const { functionName, functionReference } = value;
  if ((functionName === undefined) === (functionReference === undefined)) {
    throw new Refusal(400, 'A function invocation must have either functionName or functionReference.');
  }
  if (functionName === undefined) {
    entry.needs.push({ key: string(functionReference, 'functionReference'), binds: [] });
  } else {
    string(functionName, 'functionName');
  }
  return children(value['arguments'], 'functionInvocationValue.arguments');
}

/**
 * Refuses cycles, and computes each entry's free arguments from those of the entries that it needs. The walk is depth
 * first, without recursion, because a chain of references can be long.
 */
function checkArguments(entries: ReadonlyMap<string, Entry>, result: string): void {
  const free = new Map<string, ReadonlySet<string>>();
  const onPath = new Set<string>();
  for (const start of entries.keys()) {
    const path: { key: string; entry: Entry; next: number }[] = [];
    const enter = (key: string) => {
      if (free.has(key)) {
        return;
      }
      if (onPath.has(key)) {
        throw new Refusal(400, `Value '${key}' refers to itself: the expression has a cycle.`);
      }
      onPath.add(key);
      path.push({ key, entry: entries.get(key) as Entry, next: 0 });
    };
    enter(start);
    for (let top = path.at(-1); top; top = path.at(-1)) {
      const need = top.entry.needs[top.next++];
      if (need) {
        enter(need.key);
      } else {
        free.set(top.key, freeArguments(top.entry, free));
        onPath.delete(top.key);
        path.pop();
      }
    }
  }
  const unbound = free.get(result)?.values().next().value;
  if (unbound !== undefined) {
    throw new Refusal(400, `Argument '${unbound}' is not bound by an enclosing function definition.`);
  }
}

function freeArguments(entry: Entry, known: ReadonlyMap<string, ReadonlySet<string>>): ReadonlySet<string> {
  let all: Set<string> = entry.argumentReferences;
  for (const { key, binds } of entry.needs) {
    for (const name of known.get(key) ?? []) {
      if (binds.includes(name) || all.has(name)) {
        continue;
      }
      all = all === entry.argumentReferences ? new Set(all) : all;
      all.add(name);
    }
  }
  return all;
}

function children(value: unknown, name: string): readonly unknown[] {
  if (value === undefined) {
    return [];
  }
  if (!isObject(value)) {
    throw invalid(name);
  }
  return Object.values(value);
}

function string(value: unknown, name: string): string {
  if (typeof value !== 'string') {
    throw invalid(name);
  }
  return value;
}

function invalid(name: string): Refusal {
  const type = name === 'expression' ? ' (type.googleapis.com/google.earthengine.v1.Expression)' : '';
  return new Refusal(400, `Invalid value at '${name}'${type}`);
}

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function onlyFields(value: Json, known: readonly string[], at: string): void {
  const unknown = Object.keys(value).find((name) => !known.includes(name));
  if (unknown !== undefined) {
    const where = at === '' ? '' : ` at '${at}'`;
    throw new Refusal(
      400,
      `Invalid JSON payload received. Unknown name "${unknown}"${where}: Cannot find field.`,
    );
  }
}

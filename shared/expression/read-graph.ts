import { createByteWriter } from './canonical-bytes.ts';
import type { Entry, Graph, GraphNode } from './graph.ts';
import { describe, type IssueList } from '../issues.ts';
import { brokenText, isUsableName, readConstant, unusableName } from './read-constant.ts';

/** EE's own limit (EARTH_ENGINE: clients stop inlining at 50). It also bounds this reader's recursion. */
export const NESTED_NODES = 100;

const kinds = [
  'constantValue',
  'integerValue',
  'bytesValue',
  'arrayValue',
  'dictionaryValue',
  'functionDefinitionValue',
  'functionInvocationValue',
  'argumentReference',
  'valueReference',
] as const;
type Kind = (typeof kinds)[number];

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

type JsonObject = Readonly<Record<string, unknown>>;

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Reads an expression's nodes one by one. What concerns several entries together, cycles and scopes, is for the caller.
 *
 * @param base the expression's own path, `['request', 'expression']`
 * Stops looking where the list of issues is full.
 *
 * @returns undefined where nothing could be read; otherwise what could, with an issue for each thing that could not
 */
export function readGraph(
  expression: unknown,
  base: readonly string[],
  issues: IssueList,
): Graph | undefined {
  // One path for the whole walk, pushed and popped: most graphs have tens of thousands of nodes and no issue.
  const path: (string | number)[] = [...base];
  const writer = createByteWriter();
  let values: JsonObject = {};
  let targets: string[] = [];
  let calls: string[] = [];

  function at<T>(key: string | number, read: () => T): T {
    path.push(key);
    const result = read();
    path.pop();
    return result;
  }

  function refuse(found: unknown, allowed: string): undefined {
    issues.add(
      path,
      found === undefined
        ? `is missing; allowed: ${allowed}`
        : `found ${describe(found)}; allowed: ${allowed}`,
    );
    return undefined;
  }

  /** The object at the current path, with no other fields than these. */
  function fieldsOf(value: unknown, known: readonly string[], allowed: string): JsonObject | undefined {
    if (!isJsonObject(value)) {
      return refuse(value, allowed);
    }
    for (const key of Object.keys(value)) {
      if (issues.isFull) {
        break;
      }
      if (!known.includes(key)) {
        at(key, () => issues.add(path, `is not a field; allowed: ${known.join(', ')}`));
      }
    }
    return value;
  }

  function readName(value: unknown, allowed: string): string | undefined {
    if (typeof value !== 'string' || value === '') {
      return refuse(value, allowed);
    }
    if (!isUsableName(value)) {
      issues.add(path, value.isWellFormed() ? unusableName : brokenText);
      return undefined;
    }
    return value;
  }

  /** A key of `values`. */
  function readTarget(value: unknown): string | undefined {
    const target = readName(value, 'a key of values');
    if (target === undefined) {
      return undefined;
    }
    if (!Object.hasOwn(values, target)) {
      return refuse(target, 'a key that values has');
    }
    targets.push(target);
    return target;
  }

  function readNode(value: unknown, depth: number): GraphNode | undefined {
    if (depth > NESTED_NODES) {
      issues.add(
        path,
        `is nested more than ${NESTED_NODES} nodes deep; allowed: ${NESTED_NODES} within one entry of values, and any number by references`,
      );
      return undefined;
    }
    if (!isJsonObject(value)) {
      return refuse(value, `a value node, an object with one of ${kinds.join(', ')}`);
    }
    const keys = Object.keys(value);
    const [key] = keys;
    if (keys.length !== 1 || key === undefined || !isKind(key)) {
      return refuseNode(keys, value);
    }
    path.push(key);
    const node = readKind(key, value[key], depth);
    path.pop();
    return node;
  }

  function refuseNode(keys: readonly string[], value: JsonObject): undefined {
    for (const key of keys) {
      if (issues.isFull) {
        break;
      }
      if (!isKind(key)) {
        at(key, () => issues.add(path, `is not a field of a value node; allowed: ${kinds.join(', ')}`));
      }
    }
    if (keys.filter(isKind).length !== 1) {
      refuse(value, `exactly one of ${kinds.join(', ')}`);
    }
    return undefined;
  }

  function readKind(kind: Kind, value: unknown, depth: number): GraphNode | undefined {
    switch (kind) {
      case 'constantValue': {
        const read = readConstant(value, writer);
        if ('problem' in read) {
          issues.add([...path, ...read.problem.path], read.problem.message);
          return undefined;
        }
        return { kind: 'constant', value: read.value };
      }
      case 'integerValue':
        return isInt64(value)
          ? { kind: 'integer', text: value }
          : refuse(value, 'an int64 as a string of digits');
      case 'bytesValue':
        return isBase64(value) ? { kind: 'bytes', text: value } : refuse(value, 'base64 with its padding');
      case 'arrayValue':
        return readArray(value, depth);
      case 'dictionaryValue': {
        const fields = fieldsOf(value, ['values'], 'an object with values');
        const members = fields && at('values', () => readMembers(fields['values'], depth));
        return members && { kind: 'dictionary', ...members };
      }
      case 'functionDefinitionValue':
        return readDefinition(value);
      case 'argumentReference': {
        const name = readName(value, 'the name of an argument of an enclosing function');
        return name === undefined ? undefined : { kind: 'argument', name };
      }
      case 'valueReference': {
        const target = readTarget(value);
        return target === undefined ? undefined : { kind: 'reference', target };
      }
      case 'functionInvocationValue':
      default:
        return readInvocation(value, depth);
    }
  }

  function readArray(value: unknown, depth: number): GraphNode | undefined {
    const fields = fieldsOf(value, ['values'], 'an object with values');
    if (!fields) {
      return undefined;
    }
    const nodes = fields['values'] ?? [];
    path.push('values');
    const items: GraphNode[] = [];
    if (Array.isArray(nodes)) {
      for (let index = 0; index < nodes.length && !issues.isFull; index += 1) {
        path.push(index);
        const node = readNode(nodes[index], depth + 1);
        if (node) {
          items.push(node);
        }
        path.pop();
      }
    } else {
      refuse(nodes, 'an array of value nodes');
    }
    path.pop();
    return { kind: 'array', items };
  }

  /** The members of a dictionary or the arguments of a call, at the current path. */
  function readMembers(value: unknown, depth: number): { names: string[]; items: GraphNode[] } {
    const names: string[] = [];
    const items: GraphNode[] = [];
    if (value !== undefined && !isJsonObject(value)) {
      refuse(value, 'an object of value nodes');
    } else if (value !== undefined) {
      for (const name of Object.keys(value)) {
        if (issues.isFull) {
          break;
        }
        path.push(name);
        if (!isUsableName(name)) {
          issues.add(path, unusableName);
        }
        const node = readNode(value[name], depth + 1);
        if (node) {
          names.push(name);
          items.push(node);
        }
        path.pop();
      }
    }
    return { names, items };
  }

  function readDefinition(value: unknown): GraphNode | undefined {
    const fields = fieldsOf(value, ['argumentNames', 'body'], 'an object with argumentNames and body');
    if (!fields) {
      return undefined;
    }
    const names: unknown = fields['argumentNames'] ?? [];
    const argumentNames: string[] = [];
    const known = new Set<string>();
    at('argumentNames', () => {
      if (!Array.isArray(names)) {
        return refuse(names, 'an array of names');
      }
      return names.forEach((name: unknown, index) =>
        at(index, () => {
          if (issues.isFull) {
            return;
          }
          const argument = readName(name, 'the name of an argument');
          if (argument === undefined) {
            return;
          }
          if (known.has(argument)) {
            refuse(argument, 'each name once');
          }
          known.add(argument);
          argumentNames.push(argument);
        }),
      );
    });
    const body = at('body', () => readTarget(fields['body']));
    return body === undefined ? undefined : { kind: 'definition', argumentNames, body };
  }

  function readInvocation(value: unknown, depth: number): GraphNode | undefined {
    const fields = fieldsOf(
      value,
      ['functionName', 'functionReference', 'arguments'],
      'a function and its arguments',
    );
    if (!fields) {
      return undefined;
    }
    const callee = readCallee(fields);
    path.push('arguments');
    const members = readMembers(fields['arguments'], depth);
    path.pop();
    return callee && { kind: 'invocation', callee, ...members };
  }

  function readCallee(fields: JsonObject): { name: string } | { target: string } | undefined {
    const hasName = Object.hasOwn(fields, 'functionName');
    if (hasName === Object.hasOwn(fields, 'functionReference')) {
      return refuse(fields, 'exactly one of functionName, functionReference');
    }
    if (hasName) {
      path.push('functionName');
      const name = readName(fields['functionName'], 'the name of an algorithm');
      path.pop();
      return name === undefined ? undefined : { name };
    }
    const target = at('functionReference', () => readTarget(fields['functionReference']));
    if (target === undefined) {
      return undefined;
    }
    calls.push(target);
    return { target };
  }

  const fields = fieldsOf(expression, ['values', 'result'], 'an object with values and result');
  if (!fields) {
    return undefined;
  }
  const found = fields['values'];
  if (!isJsonObject(found)) {
    at('values', () => refuse(found, 'an object of value nodes'));
    return undefined;
  }
  values = found;

  const entries = new Map<string, Entry>();
  path.push('values');
  for (const key of Object.keys(values)) {
    if (issues.isFull) {
      break;
    }
    path.push(key);
    if (!isUsableName(key)) {
      issues.add(path, unusableName);
    }
    targets = [];
    calls = [];
    const node = readNode(values[key], 1);
    if (node) {
      entries.set(key, { key, node, targets, calls });
    }
    path.pop();
  }
  path.pop();

  targets = [];
  const result = at('result', () => readTarget(fields['result']));
  return result === undefined ? undefined : { entries, result };
}

function isKind(key: string): key is Kind {
  return (kinds as readonly string[]).includes(key);
}

function isInt64(value: unknown): value is string {
  if (typeof value !== 'string' || !/^(?:0|-?[1-9]\d{0,18})$/.test(value)) {
    return false;
  }
  const number = BigInt(value);
  return number >= INT64_MIN && number <= INT64_MAX;
}

function isBase64(value: unknown): value is string {
  return typeof value === 'string' && value.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(value);
}

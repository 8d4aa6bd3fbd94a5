import { isJsonObject, type JsonObject } from '../../json.ts';
import { checkArguments } from './arguments.ts';
import { type Call, type Transfer } from './call.ts';
import { collectionTransfers } from './collections.ts';
import { type HigherOrder, higherOrder } from './higher-order.ts';
import { imageTransfers } from './images.ts';
import { indexOfName } from './names.ts';
import type { Report } from './report.ts';
import { type Signature, signatureOf } from './signatures.ts';
import { otherTransfers } from './times.ts';
import { constantOf, type FunctionValue, join, list, type Origin, UNKNOWN, type Value } from './value.ts';

/** What a node is, once it is known what the nodes inside of it are. */

/** The nodes inside of a node, in the order in which they are evaluated. */
export interface Children {
  readonly kind: string;
  /** Names of arguments, or keys of a dictionary. */
  readonly names: readonly string[];
  /** For a call of an entry, the last one is that entry. */
  readonly nodes: readonly unknown[];
}

/** Functions to evaluate first, and what becomes of their results. */
export interface Applications {
  readonly pending: readonly { readonly function: FunctionValue; readonly inputs: readonly Value[] }[];
  readonly returned: Value[];
  readonly finish: (returned: readonly Value[]) => Value;
}

/** What a node is, or the functions that must be evaluated to know it. */
export type Finished = Value | Applications;

export const isValue = (finished: Finished): finished is Value => 'kind' in finished;

export function kindOf(node: unknown): string {
  // A node that the reader accepted has exactly one key.
  for (const kind in node as JsonObject) {
    return kind;
  }
  return '';
}

export const isContainer = (kind: string): boolean =>
  kind === 'functionInvocationValue' || kind === 'arrayValue' || kind === 'dictionaryValue';

/** @param kind one for which `isContainer` is true */
export function childrenOf(node: JsonObject, kind: string): Children {
  const content = node[kind] as JsonObject;
  if (kind === 'arrayValue') {
    return { kind, names: [], nodes: (content['values'] ?? []) as unknown[] };
  }
  const members = content[kind === 'dictionaryValue' ? 'values' : 'arguments'];
  const names: string[] = [];
  const nodes: unknown[] = [];
  if (isJsonObject(members)) {
    // Nodes come from JSON, so they inherit no enumerable members.
    for (const name in members) {
      names.push(name);
      nodes.push(members[name]);
    }
  }
  if (Object.hasOwn(content, 'functionReference')) {
    nodes.push({ valueReference: content['functionReference'] });
  }
  return { kind, names, nodes };
}

export function finishNode(
  children: Children,
  values: readonly Value[],
  origin: Origin,
  report: Report,
): Finished {
  switch (children.kind) {
    case 'arrayValue':
      return listOf(values, origin);
    case 'functionInvocationValue':
      return finishCall(children, values, origin, report);
    default:
      return { kind: 'Dictionary' };
  }
}

/** Longer lists are not needed as constants: nothing selects a thousand bands. */
const MAX_CONSTANTS = 1000;

function listOf(values: readonly Value[], origin: Origin): Value {
  let item: Value | undefined;
  for (const value of values) {
    item = item === undefined ? value : join(item, value);
    if (item === UNKNOWN) {
      break;
    }
  }
  const { length } = values;
  const all = list(item ?? UNKNOWN, length, length, origin);
  const constants = length <= MAX_CONSTANTS ? values.map(constantOf) : [undefined];
  return constants.includes(undefined) ? all : { ...all, constants };
}

const transfers: ReadonlyMap<string, Transfer> = new Map([
  ...imageTransfers,
  ...collectionTransfers,
  ...otherTransfers,
]);

/** What is known of an algorithm, under the name that a graph calls it by. */
interface Behavior {
  readonly signature: Signature;
  readonly higher: HigherOrder | undefined;
  readonly transfer: Transfer | undefined;
}

const behaviors = new Map<string, Behavior>();

function behaviorOf(functionName: string): Behavior | undefined {
  const known = behaviors.get(functionName);
  if (known) {
    return known;
  }
  const signature = signatureOf(functionName);
  if (!signature) {
    return undefined;
  }
  const { name } = signature;
  const behavior = { signature, higher: higherOrder.get(name), transfer: transfers.get(name) };
  behaviors.set(functionName, behavior);
  return behavior;
}

function finishCall(
  { names, nodes }: Children,
  values: readonly Value[],
  origin: Origin,
  report: Report,
): Finished {
  const { functionName } = origin.node['functionInvocationValue'] as { functionName?: string };
  const behavior = functionName === undefined ? undefined : behaviorOf(functionName);
  const name = behavior?.signature.name ?? functionName ?? '';
  const call: Call = { name, names, values, origin, report };
  if (functionName === undefined) {
    const called = values[nodes.length - 1];
    return called?.kind === 'Function' ? callOf(called, call) : UNKNOWN;
  }
  checkArguments(call, behavior?.signature);
  if (!behavior) {
    return applyAll(call, UNKNOWN);
  }
  const { signature, higher, transfer } = behavior;
  if (higher) {
    return applyWith(higher, call);
  }
  return applyAll(call, transfer ? transfer(call) : signature.value);
}

/** A function of the graph itself: its arguments are passed by name. */
function callOf(called: FunctionValue, call: Call): Applications {
  const inputs = called.argumentNames.map((name) => call.values[indexOfName(call.names, name)] ?? UNKNOWN);
  return {
    pending: [{ function: called, inputs }],
    returned: [],
    finish: ([returned = UNKNOWN]) => returned,
  };
}

function applyWith(higher: HigherOrder, call: Call): Finished {
  const applied = call.values[call.names.indexOf(higher.argument)];
  return applied?.kind === 'Function'
    ? {
        pending: [{ function: applied, inputs: higher.inputs(call) }],
        returned: [],
        finish: ([returned = UNKNOWN]) => higher.result(call, returned),
      }
    : higher.result(call, UNKNOWN);
}

/** An algorithm that may call its functions with anything: their bodies are checked nevertheless. */
function applyAll({ values }: Call, value: Value): Finished {
  if (!values.some(isFunction)) {
    return value;
  }
  return {
    pending: values.filter(isFunction).map((each) => ({ function: each, inputs: [] })),
    returned: [],
    finish: () => value,
  };
}

const isFunction = (value: Value): value is FunctionValue => value.kind === 'Function';

import { isJsonObject, type JsonObject } from '../../json.ts';
import { checkArguments } from './arguments.ts';
import { type Call, type Transfer } from './call.ts';
import { collectionTransfers } from './collections.ts';
import { type HigherOrder, higherOrder } from './higher-order.ts';
import { imageTransfers } from './images.ts';
import type { Report } from './report.ts';
import { signatureOf } from './signatures.ts';
import { otherTransfers } from './times.ts';
import {
  constantOf,
  type FunctionValue,
  join,
  list,
  type Origin,
  UNKNOWN,
  type Value,
  valueOfType,
} from './value.ts';

/** What a node is, once it is known what the nodes inside of it are. */

/** The nodes inside of a node, in the order in which they are evaluated. */
export interface Children {
  readonly kind: string;
  /** Names of arguments, or keys of a dictionary. */
  readonly names: readonly string[];
  /** For a call of an entry, the last one is that entry. */
  readonly nodes: readonly unknown[];
}

/** Functions to evaluate, and what becomes of their results. */
export interface Applications {
  readonly pending: readonly { readonly function: FunctionValue; readonly inputs: readonly Value[] }[];
  readonly returned: Value[];
  readonly finish: (returned: readonly Value[]) => Value;
}

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
  const names = isJsonObject(members) ? Object.keys(members) : [];
  const nodes: unknown[] = names.map((name) => (members as JsonObject)[name]);
  if (Object.hasOwn(content, 'functionReference')) {
    nodes.push({ valueReference: content['functionReference'] });
  }
  return { kind, names, nodes };
}

const done = (value: Value): Applications => ({ pending: [], returned: [], finish: () => value });

export function finishNode(
  children: Children,
  values: readonly Value[],
  origin: Origin,
  report: Report,
): Applications {
  switch (children.kind) {
    case 'arrayValue':
      return done(listOf(values, origin));
    case 'functionInvocationValue':
      return finishCall(children, values, origin, report);
    default:
      return done({ kind: 'Dictionary' });
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

function finishCall(
  { names, nodes }: Children,
  values: readonly Value[],
  origin: Origin,
  report: Report,
): Applications {
  const { functionName } = origin.node['functionInvocationValue'] as { functionName?: string };
  const call: Call = { name: functionName ?? '', names, values, origin, report };
  if (functionName === undefined) {
    const called = values[nodes.length - 1];
    return called?.kind === 'Function' ? callOf(called, call) : done(UNKNOWN);
  }
  const signature = signatureOf(functionName);
  checkArguments(call, signature);
  if (!signature) {
    return applyAll(call, UNKNOWN);
  }
  const higher = higherOrder.get(signature.name);
  if (higher) {
    return applyWith(higher, call);
  }
  const transfer = transfers.get(signature.name);
  return applyAll(
    call,
    transfer ? transfer({ ...call, name: signature.name }) : valueOfType(signature.returns),
  );
}

/** A function of the graph itself: its arguments are passed by name. */
function callOf(called: FunctionValue, call: Call): Applications {
  const inputs = called.argumentNames.map((name) => call.values[call.names.indexOf(name)] ?? UNKNOWN);
  return {
    pending: [{ function: called, inputs }],
    returned: [],
    finish: ([returned = UNKNOWN]) => returned,
  };
}

function applyWith(higher: HigherOrder, call: Call): Applications {
  const applied = call.values[call.names.indexOf(higher.argument)];
  const pending = applied?.kind === 'Function' ? [{ function: applied, inputs: higher.inputs(call) }] : [];
  return {
    pending,
    returned: [],
    finish: ([returned = UNKNOWN]) => higher.result(call, returned),
  };
}

/** An algorithm that may call its functions with anything: their bodies are checked nevertheless. */
function applyAll({ values }: Call, value: Value): Applications {
  const functions = values.filter((each) => each.kind === 'Function');
  return functions.length === 0
    ? done(value)
    : {
        pending: functions.map((each) => ({ function: each, inputs: [] })),
        returned: [],
        finish: () => value,
      };
}

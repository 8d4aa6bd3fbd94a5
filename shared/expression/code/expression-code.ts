import { kindOf } from '../check/nodes.ts';
import { type Argument, type Signature, signatureOf } from '../check/signatures.ts';
import type { Path } from '../../issues.ts';
import type { JsonObject } from '../../json.ts';
import { abbreviate } from '../../text.ts';
import { type Doc, group, indent, type Layout, layOut, line, mark, separated, softline } from './layout.ts';
import { findVariables, type Variables } from './variables.ts';

/**
 * Shows an expression as code in the manner of the JavaScript client: methods, functions, and variables, without arguments that
 * have their default. The variable of the entry "12" is `v12`. The code is for reading; it may differ from what was written.
 */

/** The places of a graph that findings point to: a call, or one of its arguments. */
export const markOf = (kind: 'node' | 'argument', place: Path): string => JSON.stringify([kind, ...place]);

export function codeOf(expression: { values: JsonObject; result: string }, width: number): Layout {
  const { values, result } = expression;
  const variables = findVariables(values, result);
  const printer: Printer = {
    values,
    variables,
    names: new Map(),
    depth: 0,
    room: { nodes: MAX_NODES, levels: MAX_NESTED },
  };
  const statements = declarations(printer, variables.within(undefined));
  return layOut([...statements, [entryDoc(printer, result), ';']], width);
}

/**
 * What is left out is shown as `…`. A function is written where it is used, so a small graph can stand for more code than there
 * is time for, and nest deeper than the stack.
 */
const MAX_NODES = 50_000;
const MAX_NESTED = 400;
const OMITTED = '…';

interface Printer {
  readonly values: JsonObject;
  readonly variables: Variables;
  /** What the arguments of the functions around are called. */
  readonly names: ReadonlyMap<string, string>;
  /** How many functions there are around. */
  readonly depth: number;
  /** What is left for all of the code: nodes, and levels of nodes in each other. */
  readonly room: { nodes: number; levels: number };
}

/** Bounds the recursion: no reader follows more functions in functions. */
const MAX_FUNCTIONS = 30;
/** Programs have one or two. */
const MAX_ARGUMENTS = 20;

function declarations(printer: Printer, keys: readonly string[]): Doc[] {
  const docs: Doc[] = [];
  for (const key of keys) {
    if (printer.room.nodes <= 0) {
      docs.push(OMITTED);
      break;
    }
    docs.push(declaration(printer, key));
  }
  return docs;
}

function declaration(printer: Printer, key: string): Doc {
  const name = printer.variables.nameOf(key) ?? '';
  const note = name === `v${key}` ? '' : ` // ${JSON.stringify(abbreviate(key, 40))}`;
  return [`const ${name} = `, entryDoc(printer, key), `;${note}`];
}

const entryDoc = (printer: Printer, key: string): Doc =>
  nodeDoc(printer, printer.values[key], ['values', key], '');

function referenceDoc(printer: Printer, key: string): Doc {
  return printer.variables.nameOf(key) ?? entryDoc(printer, key);
}

/** @param role what the function of this node is given, to name its arguments by */
function nodeDoc(printer: Printer, node: unknown, place: Path, role: string): Doc {
  const { room } = printer;
  if (room.nodes <= 0 || room.levels <= 0) {
    return OMITTED;
  }
  room.nodes -= 1;
  room.levels -= 1;
  const doc = docOf(printer, node, place, role);
  room.levels += 1;
  return doc;
}

function docOf(printer: Printer, node: unknown, place: Path, role: string): Doc {
  const kind = kindOf(node);
  const content = (node as JsonObject)[kind];
  switch (kind) {
    case 'constantValue':
      return mark(markOf('node', place), constantDoc(content));
    case 'integerValue':
      return `${String(content)}n`;
    case 'bytesValue':
      return `bytes(${JSON.stringify(abbreviate(String(content), 20))})`;
    case 'argumentReference':
      return printer.names.get(content as string) ?? String(content);
    case 'valueReference':
      return referenceDoc(printer, content as string);
    case 'functionDefinitionValue':
      return functionDoc(printer, content as { argumentNames?: string[]; body: string }, role);
    case 'arrayValue': {
      const items = ((content as JsonObject)['values'] ?? []) as unknown[];
      const docs = items.map((item, index) =>
        nodeDoc(printer, item, [...place, kind, 'values', index], role),
      );
      return mark(markOf('node', place), bracketed('[', docs, ']'));
    }
    case 'dictionaryValue': {
      const members = Object.entries(((content as JsonObject)['values'] ?? {}) as JsonObject);
      const docs = members.map(([name, member]): Doc => [
        `${propertyName(name)}: `,
        nodeDoc(printer, member, [...place, kind, 'values', name], role),
      ]);
      return mark(markOf('node', place), bracketed('{', docs, '}'));
    }
    default:
      return callDoc(printer, content as Invocation, [...place, kind], place);
  }
}

const bracketed = (open: string, docs: readonly Doc[], close: string): Doc =>
  docs.length === 0 ? open + close : group(open, indent(softline, separated(docs)), softline, close);

function functionDoc(
  printer: Printer,
  { argumentNames = [], body }: { argumentNames?: string[]; body: string },
  role: string,
): Doc {
  if (printer.depth === MAX_FUNCTIONS) {
    return OMITTED;
  }
  const names = new Map(printer.names);
  const named = argumentNames.slice(0, MAX_ARGUMENTS);
  for (const [index, name] of named.entries()) {
    names.set(name, freeName(index === 0 ? role || 'x' : 'state', new Set(names.values())));
  }
  const inner = { ...printer, names, depth: printer.depth + 1 };
  const more = argumentNames.length > named.length ? [OMITTED] : [];
  const shown = [...named.map((name) => names.get(name) ?? name), ...more].join(', ');
  const locals = printer.variables.within(body);
  const value = referenceDoc(inner, body);
  if (locals.length === 0) {
    return group(`(${shown}) =>`, indent(line, value));
  }
  const statements = declarations(inner, locals).map((doc): Doc => [hardline, doc]);
  return [`(${shown}) => {`, indent(...statements, hardline, 'return ', value, ';'), hardline, '}'];
}

/** Wider than any line, so that the group around it always breaks. */
const hardline: Doc = { kind: 'line', flat: ' '.repeat(10_000) };

function freeName(wanted: string, taken: ReadonlySet<string>): string {
  let name = wanted;
  for (let number = 2; taken.has(name); number += 1) {
    name = `${wanted}${number}`;
  }
  return name;
}

interface Invocation {
  readonly functionName?: string;
  readonly functionReference?: string;
  readonly arguments?: JsonObject;
}

const roles: Readonly<Record<string, string>> = {
  'Collection.map': 'image',
  'Collection.iterate': 'image',
  'List.map': 'item',
  'List.iterate': 'item',
  'Dictionary.map': 'key',
};

function callDoc(printer: Printer, call: Invocation, inside: Path, place: Path): Doc {
  const { functionName, functionReference = '', arguments: args = {} } = call;
  const signature = functionName === undefined ? undefined : signatureOf(functionName);
  const role = roles[signature?.name ?? ''] ?? '';
  const docs = new Map(
    Object.entries(args)
      .filter(([name, node]) => !isDefault(signature?.args.get(name), node))
      .map(([name, node]): [string, Doc] => {
        const at = [...inside, 'arguments', name];
        return [name, mark(markOf('argument', at), nodeDoc(printer, node, at, role))];
      }),
  );
  const subject = signature && subjectOf(signature);
  const self = subject === undefined ? undefined : docs.get(subject);
  const marked = (name: string): Doc => mark(markOf('node', place), name);
  if (signature && subject !== undefined && self !== undefined) {
    docs.delete(subject);
    const method = signature.name.slice(signature.name.lastIndexOf('.') + 1);
    return group(self, indent(softline, '.', marked(method), argumentsDoc(docs, signature, 1)));
  }
  const name =
    functionName === undefined ? referenceDoc(printer, functionReference) : constructorName(functionName);
  const callee = typeof name === 'string' ? marked(name) : name;
  return group(callee, argumentsDoc(docs, signature, 0));
}

/** One or two arguments by position, if they are the first ones; more of them by name. */
function argumentsDoc(docs: ReadonlyMap<string, Doc>, signature: Signature | undefined, from: number): Doc {
  if (docs.size === 0) {
    return '()';
  }
  const order = [...(signature?.args.keys() ?? [])].slice(from, from + docs.size);
  if (docs.size <= 2 && order.length === docs.size && order.every((name) => docs.has(name))) {
    return bracketed(
      '(',
      order.map((name) => docs.get(name) ?? ''),
      ')',
    );
  }
  const members = [...docs].map(([name, doc]): Doc => [`${propertyName(name)}: `, doc]);
  return group('({', indent(softline, separated(members)), softline, '})');
}

/** The types that an algorithm's methods belong to: `Image.add` is a method of what its first argument is. */
const ownTypes: Readonly<Record<string, readonly string[]>> = {
  Image: ['Image', 'Element'],
  ImageCollection: ['ImageCollection'],
  Collection: ['FeatureCollection'],
  FeatureCollection: ['FeatureCollection'],
  AggregateFeatureCollection: ['FeatureCollection'],
  reduce: ['ImageCollection'],
  Element: ['Element'],
  Feature: ['Element', 'Feature'],
  Geometry: ['Geometry'],
  List: ['List'],
  Dictionary: ['Dictionary'],
  String: ['String'],
  Number: ['Number'],
  Date: ['Date'],
  DateRange: ['DateRange'],
  Array: ['Array'],
  Projection: ['Projection'],
  Reducer: ['Reducer'],
  Classifier: ['Classifier'],
  Clusterer: ['Clusterer'],
  Join: ['Join'],
};

/** The argument that the method is called on. */
function subjectOf({ name, args }: Signature): string | undefined {
  const [type = ''] = name.split('.');
  const [first] = args.values();
  const isMethod =
    first !== undefined && name.includes('.') && ownTypes[type]?.includes(first.outer) === true;
  return isMethod && !first.optional ? first.name : undefined;
}

/** As the JavaScript client writes it. */
function constructorName(functionName: string): string {
  const name = functionName.replace(/^algorithms\//, '');
  const short: Readonly<Record<string, string>> = {
    'Image.load': 'Image',
    'Image.constant': 'Image',
    'ImageCollection.load': 'ImageCollection',
    'Collection.loadTable': 'FeatureCollection',
    Collection: 'FeatureCollection',
  };
  return `ee.${short[name] ?? name.replace(/^GeometryConstructors\./, 'Geometry.')}`;
}

function isDefault(argument: Argument | undefined, node: unknown): boolean {
  return (
    argument?.default !== undefined &&
    kindOf(node) === 'constantValue' &&
    (node as JsonObject)['constantValue'] === argument.default
  );
}

const propertyName = (name: string): string =>
  /^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name);

const MAX_ITEMS = 6;
const MAX_TEXT = 60;

function constantDoc(value: unknown): Doc {
  if (typeof value === 'string') {
    return JSON.stringify(abbreviate(value, MAX_TEXT));
  }
  if (Array.isArray(value)) {
    const shown = value.slice(0, MAX_ITEMS).map(constantDoc);
    const more = value.length - shown.length;
    return bracketed('[', more > 0 ? [...shown, `… ${more} more`] : shown, ']');
  }
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value);
    const shown = members
      .slice(0, MAX_ITEMS)
      .map(([name, member]): Doc => [`${propertyName(abbreviate(name, 30))}: `, constantDoc(member)]);
    const more = members.length - shown.length;
    return bracketed('{', more > 0 ? [...shown, `… ${more} more`] : shown, '}');
  }
  return String(value);
}

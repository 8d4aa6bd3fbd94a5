import { formatPath, type Path, storableIssue } from '../../issues.ts';
import { isJsonObject, type JsonObject } from '../../json.ts';
import type { Finding } from '../../model/finding.ts';
import { type Code, codes } from './codes.ts';
import type { Origin } from './value.ts';

/** A finding together with its place as keys, from which the graph can be shown as code. */
export interface PlacedFinding extends Finding {
  readonly code: Code;
  /** From the expression: `['values', '3', 'functionInvocationValue', …]`. */
  readonly place: Path;
}

/** Where in a node a finding is: nothing for the node itself. */
export type Within = readonly string[];

interface Found {
  readonly code: Code;
  readonly origin: Origin;
  readonly within: Within;
  readonly message: string;
  readonly suggestion: string;
}

/** A hostile graph may have a mistake in each of a million nodes. Warnings must not crowd out an error. */
const MAX_OF_EACH_SEVERITY = 25;

const base = ['request', 'expression'];

/** Collects findings, each once however often its node is looked at. Paths are searched for only at the end. */
export interface Report {
  add(code: Code, origin: Origin, within: Within, message: string, suggestion: string): void;
  /** Errors first, in the order in which they were found. */
  list(values: JsonObject): PlacedFinding[];
}

export function createReport(): Report {
  const found: Found[] = [];
  const seen = new Map<object, Set<string>>();
  const counts = { ERROR: 0, WARNING: 0 };
  return {
    add(code, origin, within, message, suggestion) {
      const severity = codes[code];
      if (counts[severity] >= MAX_OF_EACH_SEVERITY) {
        return;
      }
      const known = seen.get(origin.node) ?? new Set();
      const key = [code, ...within].join('\n');
      if (known.has(key)) {
        return;
      }
      seen.set(origin.node, known.add(key));
      counts[severity] += 1;
      found.push({ code, origin, within, message, suggestion });
    },
    list: (values) => found.map((each) => placed(each, values)).sort((a, b) => rank(a) - rank(b)),
  };
}

function placed({ code, origin, within, message, suggestion }: Found, values: JsonObject): PlacedFinding {
  const inside = pathTo(values[origin.entry], origin.node) ?? [];
  const place = ['values', origin.entry, ...inside, ...within];
  const stored = storableIssue({ path: formatPath([...base, ...place]), message });
  const advice = storableIssue({ path: '', message: suggestion });
  return { severity: codes[code], code, ...stored, suggestion: advice.message, place };
}

const rank = ({ severity }: Finding): number => (severity === 'ERROR' ? 0 : 1);

/** The keys that lead from an entry to one of the nodes in it. Recursion is bounded: the reader allows 100 nested nodes. */
function pathTo(entry: unknown, node: JsonObject): (string | number)[] | undefined {
  if (entry === node) {
    return [];
  }
  for (const [key, child] of childrenOf(entry)) {
    const found = pathTo(child, node);
    if (found) {
      return [...key, ...found];
    }
  }
  return undefined;
}

/** The nodes directly inside of a node, each with the keys that lead to it. */
export function* childrenOf(node: unknown): Iterable<readonly [(string | number)[], unknown]> {
  if (!isJsonObject(node)) {
    return;
  }
  for (const [kind, inside] of [
    ['functionInvocationValue', 'arguments'],
    ['dictionaryValue', 'values'],
    ['arrayValue', 'values'],
  ] as const) {
    const value = node[kind];
    const members = isJsonObject(value) ? value[inside] : undefined;
    if (Array.isArray(members)) {
      for (const [index, member] of members.entries()) {
        yield [[kind, inside, index], member];
      }
    } else if (isJsonObject(members)) {
      for (const name of Object.keys(members)) {
        yield [[kind, inside, name], members[name]];
      }
    }
  }
}

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
  add(code: Code, origin: Origin, within: Within, message: string, suggestion: () => string): void;
  /** Whether a topic comes up for the first time: some are reported once, wherever they come up again. */
  isNew(topic: string): boolean;
  /** Notes something that makes a video expensive; the largest value counts. */
  measure(name: Measure, value: number): void;
  largest(name: Measure): number | undefined;
  /** Errors first, in the order in which they were found. */
  list(values: JsonObject): PlacedFinding[];
}

export type Measure = 'days' | 'squareKilometers';

export function createReport(): Report {
  const found: Found[] = [];
  const seen = new Map<object, Set<string>>();
  const topics = new Set<string>();
  const measures = new Map<Measure, number>();
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
      found.push({ code, origin, within, message, suggestion: suggestion() });
    },
    isNew: (topic) => topics.size < topics.add(topic).size,
    measure: (name, value) => {
      if (Number.isFinite(value) && value > (measures.get(name) ?? 0)) {
        measures.set(name, value);
      }
    },
    largest: (name) => measures.get(name),
    list: (values) => {
      const paths = findPaths(values, found);
      return found.map((each) => placed(each, paths)).sort((a, b) => rank(a) - rank(b));
    },
  };
}

type Paths = ReadonlyMap<object, Path>;

function placed({ code, origin, within, message, suggestion }: Found, paths: Paths): PlacedFinding {
  const place = ['values', origin.entry, ...(paths.get(origin.node) ?? []), ...within];
  const stored = storableIssue({ path: formatPath([...base, ...place]), message });
  const advice = storableIssue({ path: '', message: suggestion });
  return { severity: codes[code], code, ...stored, suggestion: advice.message, place };
}

const rank = ({ severity }: Finding): number => (severity === 'ERROR' ? 0 : 1);

/** The path of each node with a finding, from its entry: each such entry is walked once. */
function findPaths(values: JsonObject, found: readonly Found[]): Paths {
  const wanted = new Set<object>(found.map(({ origin }) => origin.node));
  const paths = new Map<object, Path>();
  for (const entry of new Set(found.map(({ origin }) => origin.entry))) {
    visit(values[entry], []);
  }
  return paths;

  /** Recursion is bounded: the reader allows 100 nested nodes. */
  function visit(node: unknown, path: (string | number)[]): void {
    if (paths.size === wanted.size || !isJsonObject(node)) {
      return;
    }
    if (wanted.has(node)) {
      paths.set(node, [...path]);
    }
    for (const [kind, inside] of containers) {
      const content = node[kind];
      const members = isJsonObject(content) ? content[inside] : undefined;
      if (Array.isArray(members)) {
        members.forEach((member, index) => visitAt(member, path, kind, inside, index));
      } else if (isJsonObject(members)) {
        for (const name in members) {
          visitAt(members[name], path, kind, inside, name);
        }
      }
    }
  }

  function visitAt(node: unknown, path: (string | number)[], ...keys: (string | number)[]): void {
    path.push(...keys);
    visit(node, path);
    path.length -= keys.length;
  }
}

/** Where a node has other nodes. */
const containers = [
  ['functionInvocationValue', 'arguments'],
  ['dictionaryValue', 'values'],
  ['arrayValue', 'values'],
] as const;

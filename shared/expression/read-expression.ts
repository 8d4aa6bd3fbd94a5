import type { Entry, Graph, GraphNode } from './graph.ts';
import { shapeOf } from './graph-shape.ts';
import { type FreeNames, hashGraph, TooManyNamesError } from './graph-hash.ts';
import { createIssueList, formatPath, type IssueList, quote } from '../issues.ts';
import { readGraph } from './read-graph.ts';
import type { Issue } from '../model/rejected-message.ts';
import { runAtOnce, type Steps } from '../steps.ts';

const base = ['request', 'expression'];

/** How many cycles or unbound names are reported: locating each may cost a walk through the graph. */
const MAX_SEARCHES = 20;

export type ExpressionReading =
  | { readonly graphHash: string; readonly shapeHash: string }
  | { readonly issues: Issue[] };

/**
 * Checks an expression graph as far as possible without Earth Engine, and hashes what it computes.
 *
 * References, not inlining, make a graph deep, so nothing here recurses along them.
 */
export const readExpression = (expression: unknown): ExpressionReading =>
  runAtOnce(readExpressionInSteps(expression));

export function* readExpressionInSteps(expression: unknown): Steps<ExpressionReading> {
  const issues = createIssueList();
  const graph = yield* readGraph(expression, base, issues);
  if (!graph || issues.count > 0) {
    return { issues: issues.list() };
  }

  yield;
  const { order, reachable } = sortEntries(graph, issues);
  if (issues.count > 0) {
    return { issues: issues.list() };
  }

  try {
    yield;
    const { hash, freeNames } = yield* hashGraph(graph, order, reachable);
    rejectUnboundNames(graph, freeNames, issues);
    if (issues.count > 0) {
      return { issues: issues.list() };
    }
    yield;
    return { graphHash: hash, shapeHash: yield* shapeOf(graph, order) };
  } catch (error) {
    if (!(error instanceof TooManyNamesError)) {
      throw error;
    }
    issues.add(base, 'has nested functions with too many names in scope; allowed: 8 per node on average');
    return { issues: issues.list() };
  }
}

/**
 * Sorts the entries, each after those that it refers to. A cycle is an issue.
 *
 * Sorting starts from `result`, so that what is sorted by then is exactly what `result` leads to.
 */
function sortEntries(graph: Graph, issues: IssueList): { order: string[]; reachable: Set<string> } {
  const order: string[] = [];
  const states = new Map<string, 'open' | 'sorted'>();
  let searches = 0;

  function sortFrom(start: string) {
    const open: { entry: Entry; next: number }[] = [];
    const enter = (key: string) => {
      states.set(key, 'open');
      open.push({ entry: graph.entries.get(key) as Entry, next: 0 });
    };
    enter(start);
    for (let frame = open.at(-1); frame; frame = open.at(-1)) {
      const target = frame.entry.targets[frame.next];
      frame.next += 1;
      if (target === undefined) {
        states.set(frame.entry.key, 'sorted');
        order.push(frame.entry.key);
        open.pop();
      } else if (!states.has(target)) {
        enter(target);
      } else if (states.get(target) === 'open') {
        rejectCycle(open, target);
      }
    }
  }

  function rejectCycle(open: readonly { entry: Entry }[], target: string) {
    // Describing a cycle costs its length, and a hostile graph has many long ones.
    if ((searches += 1) > MAX_SEARCHES) {
      return;
    }
    let from = open.length - 1;
    while (open[from]?.entry.key !== target) {
      from -= 1;
    }
    const keys = open.slice(from, from + 5).map(({ entry }) => quote(entry.key));
    const rest = open.length - from > 5 ? ['…'] : [];
    issues.add(
      [...base, 'values', target],
      `refers to itself: ${[...keys, ...rest, quote(target)].join(' → ')}; allowed: a graph without cycles`,
    );
  }

  sortFrom(graph.result);
  const reachable = new Set(order);
  for (const key of graph.entries.keys()) {
    if (!states.has(key)) {
      sortFrom(key);
    }
  }
  return { order, reachable };
}

/** Rejects names that no function can bind: those that are free in `result`, or in an entry that nothing refers to. */
function rejectUnboundNames(graph: Graph, freeNames: FreeNames, issues: IssueList) {
  if (freeNames.size === 0) {
    return;
  }
  const enclosed = new Set<string>();
  for (const { targets } of graph.entries.values()) {
    for (const target of targets) {
      enclosed.add(target);
    }
  }
  let searches = 0;
  for (const [key, names] of freeNames) {
    if (key !== graph.result && enclosed.has(key)) {
      continue;
    }
    for (const name of names.keys()) {
      if ((searches += 1) > MAX_SEARCHES) {
        return;
      }
      const place = findUnbound(graph, freeNames, key, name);
      issues.add(
        place,
        `found ${quote(name)}, which no enclosing function has as an argument (from ${formatPath([...base, 'values', key])}); allowed: an argument of an enclosing function`,
      );
    }
  }
}

/** The path of the first free `name`, searching from an entry in which it is free. */
function findUnbound(graph: Graph, freeNames: FreeNames, key: string, name: string): (string | number)[] {
  const isFreeIn = (target: string) => freeNames.get(target)?.has(name) === true;
  for (let current = key; ;) {
    const found = search(graph.entries.get(current) as Entry);
    if ('path' in found) {
      return [...base, 'values', current, ...found.path];
    }
    current = found.target;
  }

  function search(entry: Entry): { path: (string | number)[] } | { target: string } {
    const path: (string | number)[] = [];
    const visit = (node: GraphNode): { path: (string | number)[] } | { target: string } | undefined => {
      switch (node.kind) {
        case 'argument':
          return node.name === name ? { path: [...path, 'argumentReference'] } : undefined;
        case 'reference':
          return isFreeIn(node.target) ? { target: node.target } : undefined;
        case 'definition':
          return !node.argumentNames.includes(name) && isFreeIn(node.body)
            ? { target: node.body }
            : undefined;
        case 'array':
          return visitAll(node.items, ['arrayValue', 'values'], (index) => index);
        case 'dictionary':
          return visitAll(node.items, ['dictionaryValue', 'values'], (index) => node.names[index] ?? index);
        case 'invocation': {
          if ('target' in node.callee && isFreeIn(node.callee.target)) {
            return { target: node.callee.target };
          }
          return visitAll(
            node.items,
            ['functionInvocationValue', 'arguments'],
            (index) => node.names[index] ?? index,
          );
        }
        default:
          return undefined;
      }
    };
    const visitAll = (
      nodes: readonly GraphNode[],
      within: readonly string[],
      keyOf: (index: number) => string | number,
    ) => {
      for (const [index, node] of nodes.entries()) {
        path.push(...within, keyOf(index));
        const found = visit(node);
        if (found) {
          return found;
        }
        path.splice(path.length - within.length - 1);
      }
      return undefined;
    };
    return visit(entry.node) ?? { path };
  }
}
